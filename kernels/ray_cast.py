# SPDX-License-Identifier: Apache-2.0
"""Rays and points against a triangle mesh: first hits, closest points, winding-number signs."""

from dataclasses import dataclass

import numpy as np
import warp as wp

_BEYOND = wp.constant(wp.float32(1.0e6))


@wp.kernel(enable_backward=False)
def _cast_kernel(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    t_hits: wp.array(dtype=wp.float32),
    faces: wp.array(dtype=wp.int32),
    barycentric: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    hit = wp.mesh_query_ray(mesh, origins[i], directions[i], _BEYOND)
    faces[i] = -1
    t_hits[i] = wp.inf
    if hit.result:
        t_hits[i] = hit.t
        faces[i] = hit.face
        barycentric[i] = wp.vec3(hit.u, hit.v, 1.0 - hit.u - hit.v)


# Modules of their own: whoever only casts rays need not wait until these are compiled.
@wp.kernel(enable_backward=False, module="unique")
def _closest_kernel(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: wp.float32,
    distances: wp.array(dtype=wp.float32),
    faces: wp.array(dtype=wp.int32),
    barycentric: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], reach)
    faces[i] = -1
    distances[i] = wp.inf
    if query.result:
        closest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
        distances[i] = wp.length(closest - points[i])
        faces[i] = query.face
        barycentric[i] = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)


@wp.kernel(enable_backward=False, module="unique")
def _signed_closest_kernel(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    distances: wp.array(dtype=wp.float32),
    faces: wp.array(dtype=wp.int32),
    barycentric: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    query = wp.mesh_query_point_sign_winding_number(mesh, points[i], _BEYOND)
    closest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    distances[i] = query.sign * wp.length(closest - points[i])
    faces[i] = query.face
    barycentric[i] = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)


@dataclass(frozen=True, eq=False)
class SurfaceHits:
    """Where rays or points met the surface.

    Attributes:
        distances: Ray parameter (in lengths of the direction) or distance [mesh unit], f32 (N,);
            inf where nothing was met.
        faces: Triangle met, i32 (N,); -1 where there was none.
        barycentric: Weights of the triangle's three corners, f32 (N, 3).
    """

    distances: np.ndarray
    faces: np.ndarray
    barycentric: np.ndarray


class RayCaster:
    """Answers first-hit and closest-point queries on one mesh through a bounding volume hierarchy.

    The sign of a point is that of the generalised winding number (Jacobson 2013, eq. 5), so open
    and self-overlapping meshes have an inside too.

    Args:
        vertices: f32 (V, 3).
        faces: i32 (F, 3), counter-clockwise from outside.
        signed: Prepare the winding number; without it `signed_closest` is refused.
        device: Warp device name.
    """

    def __init__(
        self, vertices: np.ndarray, faces: np.ndarray, *, signed: bool = True, device: str = "cpu"
    ):
        if len(faces) == 0:
            raise ValueError("a mesh without faces cannot be queried; check for an empty surface")
        self._device = device
        self._signed = signed
        points = np.ascontiguousarray(vertices, np.float32)
        indices = np.ascontiguousarray(faces, np.int32).ravel()
        self._mesh = wp.Mesh(
            points=wp.array(points, dtype=wp.vec3, device=device),
            indices=wp.array(indices, device=device),
            support_winding_number=signed,
        )

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> SurfaceHits:
        """First surface along each ray; both arguments f32 (N, 3), directions of any length."""
        return self._launch(_cast_kernel, origins, directions)

    def closest(self, points: np.ndarray, *, reach: float = 1.0e6) -> SurfaceHits:
        """Nearest surface point within `reach` of each of the points, f32 (N, 3), unsigned."""
        return self._launch(_closest_kernel, points, scalars=(reach,))

    def signed_closest(self, points: np.ndarray) -> SurfaceHits:
        """Nearest surface point to each of the points, f32 (N, 3); distances negative inside."""
        if not self._signed:
            raise ValueError("this RayCaster was made with signed=False; make it with signed=True")
        return self._launch(_signed_closest_kernel, points)

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points f32 (N, 3), negative inside, f32 (N,)."""
        return self.signed_closest(points).distances

    def _launch(
        self, kernel: wp.Kernel, *vectors: np.ndarray, scalars: tuple[float, ...] = ()
    ) -> SurfaceHits:
        count = len(vectors[0])
        distances = wp.empty(count, dtype=wp.float32, device=self._device)
        faces = wp.empty(count, dtype=wp.int32, device=self._device)
        barycentric = wp.zeros(count, dtype=wp.vec3, device=self._device)
        inputs = [
            wp.array(np.ascontiguousarray(v, np.float32), dtype=wp.vec3, device=self._device)
            for v in vectors
        ]
        wp.launch(
            kernel,
            dim=count,
            inputs=[self._mesh.id, *inputs, *scalars],
            outputs=[distances, faces, barycentric],
            device=self._device,
        )
        return SurfaceHits(distances.numpy(), faces.numpy(), barycentric.numpy())

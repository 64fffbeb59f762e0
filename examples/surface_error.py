# SPDX-License-Identifier: Apache-2.0
"""How far a mesh is from the true one of the synthetic camera's scene."""

import numpy as np

from recon_node.baked_scene import BakedScene
from recon_node.engines.mesh import Mesh
from recon_node.engines.surface_samples import sample_surface
from recon_node.kernels.ray_cast import RayCaster

_SAMPLES = 5_000  # on each surface
_SEED = 0  # of the samples
_REACH = 0.5  # no two surfaces of a scene lie farther apart [m]


def true_mesh(scene: BakedScene, label: int) -> Mesh:
    """The object of a label as the camera renders it, in the world's frame [m], of one grey."""
    faces = scene.faces[scene.face_labels == label]
    used, corners = np.unique(faces, return_inverse=True)
    return Mesh(scene.vertices[used], corners.reshape(-1, 3).astype(np.int32))


class SurfaceError:
    """Measures distances between meshes and a true one.

    Distances go from samples of one surface to the other surface itself, so they have no floor
    from the spacing of samples.

    Args:
        truth: In the world's frame [m].
    """

    def __init__(self, truth: Mesh):
        self._truth = RayCaster(truth.vertices, truth.faces, signed=False)
        self._samples = _samples(truth)

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Distance [m] of points (N, 3) [m, world] to the true surface, f32 (N,)."""
        return self._truth.closest(points.astype(np.float32), reach=_REACH).distances

    def chamfer(self, mesh: Mesh) -> float:
        """Mean of the two mean distances between a mesh and the truth [m].

        Args:
            mesh: In the world's frame [m].
        """
        caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
        there = self.distances(_samples(mesh)).mean()
        back = caster.closest(self._samples, reach=_REACH).distances.mean()
        return 0.5 * float(there + back)


def _samples(mesh: Mesh) -> np.ndarray:
    """Points f32 (N, 3) [m] spread evenly over a mesh."""
    drawn = sample_surface(mesh, _SAMPLES, rng=np.random.default_rng(_SEED))
    return drawn.positions.astype(np.float32)

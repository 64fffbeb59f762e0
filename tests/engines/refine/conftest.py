# SPDX-License-Identifier: Apache-2.0
"""A block with a knob, seen from an arc, and what one view makes of it."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import trimesh

from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.kernels.ray_cast import RayCaster


@pytest.fixture
def keyframes(posed_views) -> Callable[..., list[Keyframe]]:
    """Makes keyframes with the hull engine's results, of views 64 px wide."""
    engine = HullEngine()

    def make(count: int, **options: object) -> list[Keyframe]:
        views = posed_views(count, side=64, **options)
        return [make_keyframe(view, engine.reconstruct([view])) for view in views]

    return make


@pytest.fixture
def few_steps() -> RefineConfig:
    """Steps enough to see whether something works."""
    return RefineConfig(budget=0, steps=30, seed=3)


@pytest.fixture
def solid() -> trimesh.Trimesh:
    """The block with its knob that `posed_views` shows, with edges of a centimetre at most [m]."""
    block = trimesh.creation.box((0.08, 0.06, 0.10)).subdivide_to_size(0.01)
    knob = trimesh.creation.icosphere(radius=0.022).apply_translation((0.03, 0.03, 0.05))
    return trimesh.util.concatenate([block, knob]).apply_translation((0.2, -0.1, 0.3))


@pytest.fixture
def surface_error(solid) -> Callable[[Reconstruction], float]:
    """Mean distance of a result's vertices from the true surface [m]."""
    caster = RayCaster(solid.vertices, solid.faces, signed=False)

    def error(result: Reconstruction) -> float:
        T = result.T_world_object
        world = result.mesh.vertices @ T[:3, :3].T + T[:3, 3]
        return float(caster.closest(world.astype(np.float32)).distances.mean())

    return error


@pytest.fixture
def ball() -> Callable[..., Mesh]:
    """Makes a grey ball of a radius around a point."""

    def make(radius: float, centre: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
        sphere = trimesh.creation.icosphere(subdivisions=4, radius=radius)
        vertices = (sphere.vertices + centre).astype(np.float32)
        colors = np.full(vertices.shape, 128, np.uint8)
        return Mesh(vertices, sphere.faces.astype(np.int32), colors=colors)

    return make

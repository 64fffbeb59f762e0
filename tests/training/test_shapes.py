# SPDX-License-Identifier: Apache-2.0
"""Every family of procedural shapes gives closed, outward, normalised, repeatable solids."""

import numpy as np
import pytest
from manifold3d import Manifold

from recon_node.engines.errors import UnknownNameError
from recon_node.kernels.ray_cast import RayCaster
from recon_node.training.shapes.sampler import FAMILIES, sample_shape
from recon_node.training.shapes.shape import FACE_LIMIT, Shape

SEEDS = (0, 1, 2)
OPEN_VESSELS = ("mug", "tumbler", "bowl", "plate", "vase", "basket", "pan", "cutter", "open_box")


def draw(family: str, seed: int) -> Shape:
    return sample_shape(np.random.default_rng(seed), family=family)


def welded_faces(shape: Shape) -> np.ndarray:
    _, index = np.unique(shape.vertices, axis=0, return_inverse=True)
    return index.reshape(-1)[shape.faces]


def winding_number(shape: Shape, points: np.ndarray) -> np.ndarray:
    """Generalised winding number by solid angles (Van Oosterom and Strackee 1983), (N,)."""
    corners = shape.vertices[shape.faces].astype(np.float64)
    a, b, c = (corners[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    volume = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    dots = [np.einsum("nfi,nfi->nf", u, v) for u, v in ((a, b), (b, c), (c, a))]
    angles = np.arctan2(volume, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)
    return angles.sum(axis=1) / (2 * np.pi)


def face_samples(shape: Shape, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres and unit normals of faces drawn by area, each (count, 3)."""
    corners = shape.vertices[shape.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    chosen = np.random.default_rng(0).choice(len(areas), size=count, p=areas / areas.sum())
    return corners[chosen].mean(axis=1), normals[chosen] / areas[chosen, None]


def component_count(faces: np.ndarray) -> int:
    labels = np.arange(faces.max() + 1)
    while True:
        lowest = labels.copy()
        for corner in range(3):
            np.minimum.at(lowest, faces[:, corner], labels[faces].min(axis=1))
        lowest = lowest[lowest]
        if np.array_equal(lowest, labels):
            return len(np.unique(labels))
        labels = lowest


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_gives_the_same_shape(family):
    first, second = draw(family, 5), draw(family, 5)
    assert first.family == second.family == family
    for name in ("vertices", "faces", "colors", "parts"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    other = draw(family, 6)
    assert not np.array_equal(first.vertices[:4], other.vertices[:4])


@pytest.mark.parametrize("family", FAMILIES)
def test_arrays_are_consistent_and_normalised(family):
    for seed in SEEDS:
        shape = draw(family, seed)
        count = len(shape.vertices)
        assert shape.vertices.dtype == np.float32 and shape.vertices.shape == (count, 3)
        assert shape.faces.dtype == np.int32 and shape.faces.shape[1] == 3
        assert shape.colors.dtype == np.uint8 and shape.colors.shape == (count, 3)
        assert shape.parts.dtype == np.uint8 and shape.parts.shape == (count,)
        assert 4 <= len(shape.faces) <= FACE_LIMIT
        assert np.array_equal(np.unique(shape.faces), np.arange(count))
        low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
        np.testing.assert_allclose((low + high) / 2, 0.0, atol=1e-6)
        np.testing.assert_allclose((high - low).max(), 1.0, atol=1e-6)
        face_parts = shape.parts[shape.faces]
        assert np.all(face_parts == face_parts[:, :1]), "a face mixes two parts"
        for part in np.unique(shape.parts):
            assert len(np.unique(shape.colors[shape.parts == part], axis=0)) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_surface_is_closed_and_in_one_piece(family):
    for seed in SEEDS:
        faces = welded_faces(draw(family, seed))
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        there = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
        back = edges[:, 1] * (faces.max() + 1) + edges[:, 0]
        np.testing.assert_array_equal(np.sort(there), np.sort(back))
        assert component_count(faces) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_normals_point_outwards(family):
    shape = draw(family, 0)
    centres, normals = face_samples(shape, 24)
    outside = winding_number(shape, centres + 3e-4 * normals)
    inside = winding_number(shape, centres - 3e-4 * normals)
    wrong = (np.abs(outside) > 0.02) | (np.abs(inside - 1) > 0.02)
    assert wrong.mean() <= 0.1, (outside[wrong], inside[wrong])


@pytest.mark.parametrize("family", OPEN_VESSELS)
def test_vessels_have_thin_walls_and_real_cavities(family):
    thickness, filling = [], []
    for seed in range(6):
        shape = draw(family, seed)
        centres, normals = face_samples(shape, 200)
        hits = RayCaster(shape.vertices, shape.faces, signed=False).cast(
            centres - 1e-4 * normals, -normals)
        thickness.append(np.median(hits.distances))
        hull = Manifold.hull_points(shape.vertices.astype(np.float64))
        corners = shape.vertices[shape.faces].astype(np.float64)
        volume = np.linalg.det(corners).sum() / 6
        filling.append(volume / hull.volume())
    assert 0.005 < min(thickness) and max(thickness) < 0.09, thickness
    assert np.median(filling) < 0.5, filling


def test_draws_follow_the_weights():
    rng = np.random.default_rng(3)
    drawn = [sample_shape(rng).family for _ in range(150)]
    assert len(set(drawn)) > 40
    heavy = {name for name, (weight, _) in FAMILIES.items() if weight >= 3.0}
    share = sum(FAMILIES[name][0] for name in heavy) / sum(w for w, _ in FAMILIES.values())
    observed = np.mean([name in heavy for name in drawn])
    assert abs(observed - share) < 4 * np.sqrt(share * (1 - share) / len(drawn))


def test_shape_arrays_are_read_only():
    shape = draw("block", 0)
    with pytest.raises(ValueError, match="read-only"):
        shape.vertices[0] = 0.0


def test_unknown_family_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'mug'"):
        draw("mugg", 0)

# SPDX-License-Identifier: Apache-2.0
"""Light and paint against closed forms: constant and linear skies, plain and mirrored textures."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import InvalidInputError
from recon_node.training.appearance import (
    Appearance,
    Light,
    Paint,
    harmonics,
    irradiance_coefficients,
    linear_to_srgb,
    sample_paint,
    srgb_to_linear,
)

HEIGHT, WIDTH = 128, 256


def sky_directions() -> np.ndarray:
    """Where each texel of an environment looks, row 0 straight up, (H, W, 3)."""
    polar = (np.arange(HEIGHT) + 0.5)[:, None] * np.pi / HEIGHT
    azimuth = (np.arange(WIDTH) + 0.5) * 2 * np.pi / WIDTH
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    return np.stack([x, y, np.cos(polar) + 0 * azimuth], axis=-1)


def unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def light(environment: np.ndarray, turn: float = 0.0) -> Light:
    return Light(
        environment=environment.astype(np.float32),
        irradiance=irradiance_coefficients(environment),
        turn=turn,
        sun_direction=np.array([0, 0, 1], np.float32),
        sun=np.zeros(3, np.float32),
    )


def test_srgb_is_undone_by_linear():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)) * 255, values, atol=0.01)
    assert linear_to_srgb(np.array([-1.0, 9.0])).tolist() == [0, 1]


def test_harmonics_are_orthonormal():
    heights, weights = np.polynomial.legendre.leggauss(8)
    azimuth = np.arange(16) * np.pi / 8
    flat = np.sqrt(1 - heights**2)[:, None]
    directions = np.stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), heights[:, None] + 0 * azimuth], axis=-1
    ).reshape(-1, 3)
    values = harmonics(directions).astype(np.float64)
    products = values.T @ (values * np.repeat(weights * np.pi / 8, 16)[:, None])
    np.testing.assert_allclose(products, np.eye(9), atol=1e-5)


def test_a_constant_sky_lights_every_normal_alike(rng):
    sky = light(np.broadcast_to([0.5, 1.0, 2.0], (HEIGHT, WIDTH, 3)))
    normals = unit_vectors(rng, 50)
    np.testing.assert_allclose(sky.irradiance_at(normals), [[0.5, 1, 2]] * 50, rtol=1e-3)
    np.testing.assert_allclose(sky.radiance(normals), [[0.5, 1, 2]] * 50)


def test_a_linear_sky_lights_by_two_thirds_of_its_slope(rng):
    """For L = a + b.d the irradiance over pi is a + 2/3 b.n."""
    slope = np.array([0.3, -0.2, 0.5])
    sky = light((1 + sky_directions() @ slope)[..., None].repeat(3, axis=-1))
    normals = unit_vectors(rng, 50)
    expected = 1 + 2 / 3 * normals @ slope
    np.testing.assert_allclose(sky.irradiance_at(normals)[:, 0], expected, rtol=2e-3)
    np.testing.assert_allclose(sky.radiance(normals)[:, 0], 1 + normals @ slope, atol=0.03)


@given(st.floats(0, 6.28))
def test_radiance_and_irradiance_turn_together(turn):
    """The sky's bright side lights the normals that face it, however it is turned."""
    sky = light((1.2 + sky_directions()[..., :1]).repeat(3, axis=-1), turn)
    azimuth = np.arange(360) * np.pi / 180
    around = np.stack([np.cos(azimuth), np.sin(azimuth), 0 * azimuth], axis=1)
    brightest = around[np.argmax(sky.irradiance_at(around)[:, 0])]
    assert sky.radiance(brightest[None])[0, 0] > 1.2 + np.cos(np.radians(4))
    np.testing.assert_allclose(brightest, [np.cos(turn), -np.sin(turn), 0], atol=0.02)


def test_irradiance_is_never_negative(rng):
    spot = np.zeros((HEIGHT, WIDTH, 3))
    spot[60:64, 10:14] = 1000.0
    assert light(spot).irradiance_at(unit_vectors(rng, 200)).min() == 0


def test_environments_are_decoded_and_clipped(collection_folder, tmp_path, rng):
    folder = Path(shutil.copytree(collection_folder, tmp_path / "data"))
    rgbe = np.tile(np.array([255, 51, 0, 129], np.uint8), (1, 4, 8, 1))
    rgbe[0, 0, 0] = 255, 255, 255, 140
    np.savez(folder / "envmaps_cc0.npz", rgbe=rgbe)
    environment = Appearance(folder).light(rng).environment
    np.testing.assert_allclose(environment[1, 1], [2.0, 0.4, 0.0])
    assert environment[0, 0].tolist() == [30, 30, 30]


@pytest.mark.parametrize("name", ["textures.npz", "envmaps_cc0.npz"])
def test_a_missing_file_is_named(name, collection_folder, tmp_path):
    folder = Path(shutil.copytree(collection_folder, tmp_path / "data"))
    (folder / name).unlink()
    with pytest.raises(InvalidInputError, match=f"{name} does not exist; .*--data"):
        Appearance(folder)


def test_the_sun_stands_above_the_horizon(appearance):
    lights = [appearance.light(np.random.default_rng(seed)) for seed in range(60)]
    suns = np.array([light.sun_direction for light in lights])
    np.testing.assert_allclose(np.linalg.norm(suns, axis=1), 1, atol=1e-6)
    assert suns[:, 2].min() >= 0.25
    assert 10 < sum(not light.sun.any() for light in lights) < 30
    assert min(light.sun.min() for light in lights) >= 0


def test_vertex_colours_are_blended_in_linear_light():
    paint = Paint(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 0]], np.uint8))
    albedo = paint.albedo(
        np.array([[0, 1, 2]]), np.array([[0.5, 0.25, 0.25]]), np.zeros((1, 3)), np.eye(3)[:1]
    )
    np.testing.assert_allclose(albedo, [[0.5, 0.25, 0.0]])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_texture_is_laid_without_seams_along_the_axis_of_the_normal(axis, rng):
    """A smooth texture stays smooth over its mirrored repeats."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    texture = np.stack(np.broadcast_arrays(ramp[None], ramp[:, None], 0), axis=-1).astype(np.uint8)
    paint = Paint(np.full((3, 3), 255, np.uint8), texture, frequency=2.5)
    normals = np.tile(np.eye(3)[axis], (2000, 1))
    points = np.linspace(-0.5, 0.5, 2000)[:, None] * np.ones(3)
    points[:, axis] = rng.uniform(-0.5, 0.5, 2000)  # must not matter
    corners, middle = np.zeros((2000, 3), np.int64), np.full((2000, 3), 1 / 3)
    srgb = linear_to_srgb(paint.albedo(corners, middle, points, normals))
    assert np.ptp(srgb[:, 0]) > 0.95
    np.testing.assert_array_equal(srgb[:, 0], srgb[:, 1])
    assert np.abs(np.diff(srgb, axis=0)).max() < 2 / 63


def test_a_tinted_texture_takes_the_hue_of_the_vertices():
    red = np.tile(np.array([255, 0, 0], np.uint8), (3, 1))
    white = np.full((8, 8, 3), 255, np.uint8)
    at = (np.array([[0, 1, 2]]), np.full((1, 3), 1 / 3), np.zeros((1, 3)), np.eye(3)[:1])
    np.testing.assert_allclose(Paint(red, white).albedo(*at), [[1, 1, 1]], rtol=1e-6)
    tinted = Paint(red, white, tinted=True).albedo(*at)
    np.testing.assert_allclose(tinted, [[1.0, 0.3, 0.3]], rtol=1e-6)


def test_two_in_five_without_a_texture_get_one(appearance):
    colors = np.zeros((3, 3), np.uint8)
    rngs = [np.random.default_rng(seed) for seed in range(200)]
    painted = sum(sample_paint(colors, False, appearance, rng).texture is not None for rng in rngs)
    assert 60 < painted < 100
    assert all(sample_paint(colors, True, appearance, rng).texture is None for rng in rngs)

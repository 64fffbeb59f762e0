# SPDX-License-Identifier: Apache-2.0
"""The compact model: its size, its two ways to sample a plane, and where its decoder looks."""

import numpy as np
import pytest
import torch

from recon_node.engines import canonical
from recon_node.engines.lrm.model import (
    CROP_CHANNELS,
    CompactConfig,
    CompactLRM,
    Decoder,
    _sample,
    _sample_rows,
)

SIDE = 128
Q = 0.3
CONFIG = CompactConfig()


@pytest.fixture(scope="module")
def model() -> CompactLRM:
    """A model in which no weight is zero."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        model = CompactLRM().eval()
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def uniform(generator: torch.Generator, *shape: int, span: float = 1.0) -> torch.Tensor:
    return span * (2 * torch.rand(shape, generator=generator) - 1)


def test_the_model_is_compact(model):
    assert sum(parameter.numel() for parameter in model.parameters()) <= 12_000_000
    # Stored as float16.
    assert sum(2 * value.numel() for value in model.state_dict().values()) <= 20_000_000


@pytest.mark.parametrize(("side", "channels"), [(128, 6), (64, 32), (32, 24), (2, 1)])
def test_row_gathers_sample_as_grid_sample_does(side, channels, generator):
    """The exported graphs gather rows where training samples grids."""
    plane = torch.rand((1, channels, side, side), generator=generator)
    uv = uniform(generator, 1, 4000, 2, span=1.3)
    uv[0, :5] = torch.tensor([[-1, -1], [1, 1], [-1, 1], [5, -7], [0.25, 0.25]])
    sampled, gathered = _sample(plane, uv), _sample_rows(plane, uv)
    assert gathered.shape == (1, 4000, channels)
    torch.testing.assert_close(gathered, sampled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sample", [_sample, _sample_rows])
def test_a_plane_is_sampled_between_pixel_centres_and_clamped_outside(sample):
    plane = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    # The centres of the four pixels lie at -0.5 and 0.5; v runs downwards.
    uv = torch.tensor([[[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0, 0], [0.25, -0.5], [9, -9]]])
    assert sample(plane, uv).flatten().tolist() == [0, 1, 2, 1.5, 0.75, 1]


def ramps(side: int) -> torch.Tensor:
    """A plane (1, 2, side, side) that holds the u and v of its pixels' centres."""
    axis = (torch.arange(side) + 0.5) * (2 / side) - 1
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([u, v])[None]


def decoder_that_shows(*columns: int) -> Decoder:
    """A decoder whose answers are its features: one as distance, up to three as colour."""
    decoder = Decoder(CONFIG).eval()
    layer = torch.nn.Linear(decoder.layers[0].in_features, 4)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    for row, column in enumerate(columns):
        layer.weight.data[row, column] = 1.0
    decoder.layers = torch.nn.Sequential(layer)
    return decoder


def shown(decoder: Decoder, points: np.ndarray, **planes: torch.Tensor) -> np.ndarray:
    """The features that the decoder shows at the points, (N, 4)."""
    inputs = {
        "front": torch.zeros(1, CONFIG.front_channels, SIDE // 2, SIDE // 2),
        "sides": torch.zeros(1, 2, CONFIG.side_channels, SIDE // 4, SIDE // 4),
        "crop": torch.zeros(1, CROP_CHANNELS, SIDE, SIDE),
        "tan_half_fov": torch.tensor([Q]),
        "points": torch.from_numpy(points).float()[None],
    } | planes
    with torch.no_grad():
        sdf, colours = decoder(**inputs)
    return torch.cat([10 * sdf[..., None], torch.logit(colours)], dim=-1)[0].numpy()


def points_in_sight(rng: np.random.Generator) -> np.ndarray:
    """Points of the cube that project well into the crop, (N, 3)."""
    points = rng.uniform(-1, 1, (2000, 3))
    return points[np.abs(canonical.points_to_image(points, Q)).max(axis=1) < 0.95]


def test_the_decoder_samples_the_front_plane_where_points_project(rng):
    points = points_in_sight(rng)
    front = torch.zeros(1, CONFIG.front_channels, SIDE // 2, SIDE // 2)
    front[:, :2] = ramps(SIDE // 2)
    sampled = shown(decoder_that_shows(0, 1), points, front=front)[:, :2]
    np.testing.assert_allclose(sampled, canonical.points_to_image(points, Q), atol=1e-5)


def test_the_decoder_reads_the_crop_where_points_project(rng):
    points = points_in_sight(rng)
    crop = torch.zeros(1, CROP_CHANNELS, SIDE, SIDE)
    crop[:, :2] = ramps(SIDE)
    first = CONFIG.front_channels + 2 * CONFIG.side_channels
    read = shown(decoder_that_shows(first, first + 1), points, crop=crop)[:, :2]
    np.testing.assert_allclose(read, canonical.points_to_image(points, Q), atol=1e-5)


def test_the_side_planes_are_the_cube_from_the_right_and_from_above(rng):
    points = rng.uniform(-0.9, 0.9, (500, 3))
    sides = torch.zeros(1, 2, CONFIG.side_channels, SIDE // 4, SIDE // 4)
    sides[:, 0, :2] = sides[:, 1, :2] = ramps(SIDE // 4)
    first = CONFIG.front_channels
    second = first + CONFIG.side_channels
    decoder = decoder_that_shows(first, first + 1, second, second + 1)
    sampled = shown(decoder, points, sides=sides)
    x, y, z = points.T
    np.testing.assert_allclose(sampled, np.stack([x, -z, y, x], axis=1), atol=1e-5)


def test_depth_enters_as_the_distance_in_front_of_what_was_measured(rng):
    points = points_in_sight(rng)
    crop = torch.zeros(1, CROP_CHANNELS, SIDE, SIDE)
    crop[:, 4] = 0.4
    column = CONFIG.front_channels + 2 * CONFIG.side_channels + 5
    decoder = decoder_that_shows(column)
    np.testing.assert_array_equal(shown(decoder, points, crop=crop)[:, 0], 0)
    crop[:, 5] = 1.0
    in_front = shown(decoder, points, crop=crop)[:, 0]
    np.testing.assert_allclose(in_front, points[:, 0] - 0.4, atol=1e-6)


def test_holes_in_the_depth_do_not_bend_what_is_measured_beside_them(rng, generator):
    """Unknown pixels hold 0; beside them the measured depth is the mean of the known ones."""
    points = points_in_sight(rng)
    known = (torch.rand((1, SIDE, SIDE), generator=generator) > 0.5).float()
    crop = torch.zeros(1, CROP_CHANNELS, SIDE, SIDE)
    crop[:, 4], crop[:, 5] = 0.4 * known, known
    first = CONFIG.front_channels + 2 * CONFIG.side_channels + 4
    share, in_front = shown(decoder_that_shows(first, first + 1), points, crop=crop)[:, :2].T
    # Where less than a thousandth is known, the mean gives way to the share: at most 0.4e-3.
    np.testing.assert_allclose(in_front, share * (points[:, 0] - 0.4), atol=4.1e-4)
    assert 0.4 < share.mean() < 0.6


def test_shapes_and_ranges(model, generator):
    crop = torch.rand((2, CROP_CHANNELS, SIDE, SIDE), generator=generator)
    with torch.no_grad():
        front, sides = model.encoder(crop, torch.tensor([0.1, 0.4]))
        sdf, colours = model(crop, torch.tensor([0.1, 0.4]), uniform(generator, 2, 50, 3))
    assert front.shape == (2, CONFIG.front_channels, SIDE // 2, SIDE // 2)
    assert sides.shape == (2, 2, CONFIG.side_channels, SIDE // 4, SIDE // 4)
    assert sdf.shape == (2, 50)
    assert colours.shape == (2, 50, 3)
    assert 0 <= colours.min() and colours.max() <= 1


def test_samples_of_a_batch_do_not_see_each_other(model, generator):
    crop = torch.rand((2, CROP_CHANNELS, SIDE, SIDE), generator=generator)
    q, points = torch.tensor([0.1, 0.4]), uniform(generator, 2, 50, 3)
    with torch.no_grad():
        together = model(crop, q, points)[0]
        first = model(crop[:1], q[:1], points[:1])[0]
        second = model(crop[1:], q[1:], points[1:])[0]
    torch.testing.assert_close(together, torch.cat([first, second]), rtol=1e-4, atol=1e-5)


def test_every_weight_and_the_field_of_view_matter(model, generator):
    crop = torch.rand((1, CROP_CHANNELS, SIDE, SIDE), generator=generator)
    q = torch.tensor([Q], requires_grad=True)
    front, sides = model.encoder(crop, q)
    seen_by_encoder = torch.autograd.grad(front.sum() + sides.sum(), q, retain_graph=True)
    assert seen_by_encoder[0].abs() > 0
    sdf, colours = model.decoder(front, sides, crop, q, uniform(generator, 1, 500, 3))
    names, weights = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(sdf.sum() + colours.sum(), weights)
    assert [n for n, g in zip(names, gradients, strict=True) if not g.abs().max() > 0] == []

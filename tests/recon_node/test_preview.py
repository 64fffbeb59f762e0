# SPDX-License-Identifier: Apache-2.0
"""preview.png: the input and the mesh side by side, true to scale."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import View
from recon_node.engines.crop import crop_view
from recon_node.engines.hull import HullEngine
from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import Viewpoint
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import look_at
from recon_node.preview import TILE, draw_preview, round_length, scale_bar


@pytest.fixture
def truth(ball):
    """The true ball as a reconstruction, turned in its own frame."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=ball.radius)
    T_world_object = look_at((0.0, 0.0, ball.distance), (1.0, 0.3, 0.2), (0.0, -1.0, 0.1))
    mesh = Mesh(
        np.asarray(sphere.vertices, np.float32),
        np.asarray(sphere.faces, np.int32),
        np.full((len(sphere.vertices), 3), (230, 120, 60), np.uint8),
        (np.asarray(sphere.vertices)[:, 0] > 0).astype(np.uint8),
    )
    return Reconstruction(
        "ball", 1, None, Stage.INSTANT, mesh, T_world_object, ScaleSource.DEPTH, 0.01, "true", 1
    )


def tile_of(sheet, index):
    """Pixels of the rendered tile: 0 front, 1 right, 2 back, 3 above."""
    left = 16 + 2 * TILE + 16 + (index % 2) * (TILE + 8)
    top = 46 + (index // 2) * (TILE + 8)
    return np.asarray(sheet)[top : top + TILE, left : left + TILE].astype(int)


def is_orange(pixels):
    """Where the ball is, and not the backdrop or the ink: saturated."""
    return np.ptp(pixels, axis=-1) > 60


def test_front_view_lies_over_the_input(ball, truth):
    """Draw the mesh, seen by the input camera, exactly where the input shows the object."""
    front = is_orange(tile_of(draw_preview(ball.view, truth), 0))
    coverage = crop_view(ball.view, size=2 * TILE + 8).mask
    rows = ((np.arange(TILE) + 0.5) * len(coverage) / TILE).astype(int)
    mask = coverage[np.ix_(rows, rows)] > 0.5
    below_labels = slice(40, 170)  # the triad and the scale bar are coloured too
    front, mask = front[below_labels], mask[below_labels]
    assert (front & mask).sum() / (front | mask).sum() > 0.97


def test_orbit_views_are_centred_and_of_one_scale(ball, truth):
    """Show a ball as the same disc from the right, from behind and from above."""
    sheet = draw_preview(ball.view, truth)
    widths = []
    for index in (1, 2, 3):
        rows, columns = np.nonzero(is_orange(tile_of(sheet, index))[40:170])
        assert abs(columns.mean() - TILE / 2) < 3
        widths.append(np.ptp(columns))
    assert np.ptp(widths) <= 3
    assert 0.65 * TILE < max(widths) < 0.8 * TILE


def test_outline_surrounds_the_mask(ball, truth):
    """Draw the outline on the rim of the mask and nowhere else."""
    side = 2 * TILE + 8
    pixels = np.asarray(draw_preview(ball.view, truth))[46 : 46 + side, 16 : 16 + side].astype(int)
    outline = np.abs(pixels - (255, 51, 119)).max(-1) < 60
    rows, columns = np.nonzero(outline)
    radii = np.hypot(rows - side / 2 + 0.5, columns - side / 2 + 0.5)
    assert len(rows) > 800
    assert np.abs(radii - 0.35 * side).max() < 0.03 * side  # the mask fills 0.7 of the crop


def test_scale_bar_is_true(truth):
    """Draw 50 mm as long as 50 mm appear at the centre of the mesh."""
    viewpoint = Viewpoint(look_at((0, 0, 0.5), (0, 0, 0), (0, 1, 0)), 0.25)
    length_mm, pixels = scale_bar(truth.mesh, viewpoint, 200)
    ends = viewpoint.project(np.array([[-0.025, 0, 0], [0.025, 0, 0]]))
    assert length_mm == 50
    assert pixels == pytest.approx(100 * np.ptp(ends[:, 0]))


@pytest.mark.parametrize("longest", [0.013, 0.1, 1.0, 1.99, 2.0, 4.9, 5.0, 73.0, 1000.0])
def test_round_length_is_the_next_below(longest):
    """Never exceed what fits, and never fall below 0.4 of it."""
    assert 0.4 * longest <= round_length(longest) <= longest


def test_size_line_follows_the_scale(ball):
    """Write millimetres where there is depth, and no scale bar where there is none."""
    metric = HullEngine().reconstruct([ball.view])
    shape = HullEngine().reconstruct([View(ball.image, ball.mask, ball.camera)])
    sheets = [draw_preview(ball.view, result) for result in (metric, shape)]
    bars = [(tile_of(sheet, 1)[-20:, -70:].max(-1) < 60).any() for sheet in sheets]
    assert bars == [True, False]


def test_bare_mesh_and_long_name(ball, truth):
    """Draw a mesh without colours or provenance, under a name too long for the sheet."""
    bare = Mesh(truth.mesh.vertices, truth.mesh.faces)
    result = Reconstruction(
        "ball " * 60, 1, None, Stage.HULL, bare, truth.T_world_object, ScaleSource.NONE, np.inf,
        "hull", 1,
    )  # fmt: skip
    sheet = draw_preview(ball.view, result)
    assert sheet.size == (1080, 624)
    header = np.asarray(sheet)[:46, 900:].astype(int)
    assert (header.max(-1) < 100).sum() < 800  # the name stops short of the engine's

# SPDX-License-Identifier: Apache-2.0
"""Keyframes: their rays, colours, masks and depths are those of the picture they are cut from."""

import pickle

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe, with_T_world_camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import invert, transform_points
from recon_node.evaluation.sensor_faults import Faults, ragged_mask

K = np.array([[500.0, 0, 320], [0, 490, 240], [0, 0, 1]])
CAMERA = Camera(K, 640, 480)


def plane_view(*, box=(100, 150, 420, 390), normal=(0.3, -0.2, 1.0)):
    """A tilted plane through (0, 0, 1); the mask is a box (left, top, right, bottom) [px]."""
    rays = CAMERA.unproject(CAMERA.pixel_grid().reshape(-1, 2), np.ones(640 * 480))
    depth = (normal[2] / (rays @ normal)).reshape(480, 640).astype(np.float32)
    mask = np.zeros((480, 640), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 0] = np.arange(640) // 3
    image[..., 1] = np.arange(480)[:, None] // 2
    return View(image, mask, CAMERA, depth, 7)


def result():
    mesh = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
    made = ("mug", 1, None, Stage.INSTANT, mesh, np.eye(4), ScaleSource.DEPTH, 0.02, "compact", 1)
    return Reconstruction(*made, metrics={"total_s": 1.0})


@pytest.mark.parametrize("side", [160, 131, 64, 400])
def test_rays_depths_and_colours_are_those_of_the_picture(side):
    view = plane_view()
    part = make_keyframe(view, side=side).view
    assert max(part.mask.shape) <= side and part.stamp_ns == 7
    pixels = part.camera.pixel_grid().reshape(-1, 2)
    points = part.camera.unproject(pixels, part.depth.ravel())
    # Blocks across the outline average over a part of theirs: off by up to half a block's slope.
    off = np.abs(points @ (0.3, -0.2, 1.0) - 1.0)
    assert np.mean(off > 2e-5) < 0.06
    assert off.max() < 2e-3
    source = CAMERA.project(points)
    at = np.clip(source.astype(int), 0, (639, 479))
    colors = view.image[at[:, 1], at[:, 0]].astype(int)
    assert np.abs(part.image.reshape(-1, 3).astype(int) - colors).max() <= 2
    np.testing.assert_array_equal(part.mask.ravel(), view.mask[at[:, 1], at[:, 0]])


def test_coverage_is_the_share_of_a_pixel(rng):
    view = plane_view(box=(150, 100, 453, 401))
    keyframe = make_keyframe(view, side=110)
    block = round(CAMERA.focal[0] / keyframe.view.camera.focal[0])
    whole = Keyframe(keyframe.view, keyframe.known)
    assert block == 4 and 0 < np.mean((keyframe.coverage > 0) & (keyframe.coverage < 1)) < 0.1
    assert keyframe.coverage.sum() * block**2 == view.mask.sum()
    np.testing.assert_array_equal(keyframe.coverage >= 0.5, keyframe.view.mask)
    np.testing.assert_array_equal(whole.coverage, keyframe.view.mask)
    with pytest.raises(InvalidInputError, match="Keyframe.coverage"):
        Keyframe(keyframe.view, keyframe.known, coverage=keyframe.coverage[:-1])


def test_a_hairline_covers_its_pixels():
    """Keep depth and colours of a wire that is thinner than a pixel of the keyframe."""
    keyframe = make_keyframe(plane_view(box=(100, 200, 420, 202)), side=60)
    assert keyframe.view.mask.any()
    np.testing.assert_array_equal(keyframe.coverage[keyframe.view.mask], 1.0)


def test_a_ragged_mask_is_snapped_to_the_colours(rng):
    true = np.hypot(*(np.mgrid[:480, :640] - [[[240]], [[320]]])) < 90
    ragged = ragged_mask(true, Faults("ragged", mask_pixels=3.0), rng=rng)
    image = np.where(true[..., None], (180, 90, 60), (110, 120, 130)).astype(np.uint8)
    grey = np.zeros_like(image)
    wrong = []
    for picture in (image, grey):  # by colours, and without any
        part = make_keyframe(View(picture, ragged, CAMERA), side=400).view
        left, top = (CAMERA.centre - part.camera.centre).astype(int)
        height, width = part.mask.shape
        wrong.append(np.count_nonzero(part.mask != true[top : top + height, left : left + width]))
    assert wrong[0] < 80 and wrong[1] > 600
    coarse = (
        make_keyframe(View(each, ragged, CAMERA), side=48).view.mask for each in (image, grey)
    )
    np.testing.assert_array_equal(*coarse)  # pixels wider than the outline may move: it stays


def test_small_objects_keep_their_pixels():
    view = plane_view(box=(200, 220, 280, 260))
    part = make_keyframe(view).view
    rows, columns = slice(208, 272), slice(188, 292)
    np.testing.assert_array_equal(part.image, view.image[rows, columns])
    np.testing.assert_array_equal(part.depth, view.depth[rows, columns])
    np.testing.assert_array_equal(part.camera.centre, (320 - 188, 240 - 208))


def test_depths_of_two_surfaces_are_never_blended():
    view = plane_view()
    depth = np.full((480, 640), 0.5, np.float32)
    depth[:, 251:] = 1.0
    depth[~view.mask] = 2.0
    depth[::7, ::5] = np.nan
    part = make_keyframe(View(view.image, view.mask, CAMERA, depth)).view
    assert set(np.unique(part.depth[np.isfinite(part.depth)])) == {0.5, 1.0, 2.0}
    assert np.isfinite(part.depth).all()  # each block has a pixel that knows
    assert set(np.unique(part.depth[part.mask])) == {0.5, 1.0}


def test_averaging_lowers_the_noise_of_depth(rng):
    view = plane_view()
    noise = 1.5e-3 * rng.standard_normal(view.depth.shape).astype(np.float32)
    part = make_keyframe(View(view.image, view.mask, CAMERA, view.depth + noise), side=110).view
    clean = make_keyframe(view, side=110).view
    off = part.depth - clean.depth
    assert abs(off.mean()) < 3e-5  # blocks of 4 by 4
    assert off.std() < 0.4 * 1.5e-3


def test_specks_are_not_the_object():
    view = plane_view(box=(200, 220, 280, 260))
    mask = view.mask.copy()
    mask[20, 20] = True
    part = make_keyframe(View(view.image, mask, CAMERA, view.depth)).view
    assert part.mask.shape == (64, 104)


def test_a_hairline_does_not_vanish():
    view = plane_view()
    mask = np.zeros_like(view.mask)
    mask[200, 40:600] = True
    part = make_keyframe(View(view.image, mask, CAMERA, view.depth)).view
    assert part.mask.any(axis=0).mean() > 0.7 and part.mask.sum() < 160


@pytest.mark.parametrize("name", ["bracket", "mug", "box", "sphere"])
def test_a_ragged_mask_is_not_taken_for_something_in_front(scene, arc, name):
    for seed, T in enumerate(arc(5)):
        keyframe = scene(name).keyframe(T, noise=0.0015, ragged=3, seed=seed)
        assert keyframe.known.mean() > 0.98


def test_something_in_front_says_nothing_but_the_table_does():
    view = plane_view(box=(200, 220, 280, 260))
    depth = np.full((480, 640), 1.0, np.float32)  # object and wall
    depth[260:] = 1.0 - 0.002 * np.arange(220)[:, None]  # table, meeting the object
    keyframe = make_keyframe(View(view.image, view.mask, CAMERA, depth))
    assert keyframe.known.all()
    depth[200:300, 270:276] = 0.8  # a stick, and where it is in front the mask ends
    mask = view.mask.copy()
    mask[:, 270:276] = False
    keyframe = make_keyframe(View(view.image, mask, CAMERA, depth))
    stick = keyframe.view.depth == np.float32(0.8)
    np.testing.assert_array_equal(~keyframe.known, stick)


def test_a_pixel_at_a_step_is_in_front_even_if_it_lies_deep():
    mask = np.zeros((480, 640), bool)
    mask[200:260, 200:280] = True
    depth = np.where(mask, 1.0, 3.0).astype(np.float32)
    depth[229:232, 239:242] = 2.0  # the far side, and a hole with something in it
    mask[230, 240], depth[230, 240] = False, 1.5
    keyframe = make_keyframe(View(plane_view().image, mask, CAMERA, depth))
    assert np.argwhere(~keyframe.known).tolist() == [[42, 52]]


def test_the_rim_of_the_picture_says_nothing():
    keyframe = make_keyframe(plane_view(box=(0, 220, 80, 260)))
    assert not keyframe.known[:, 0].any()
    assert keyframe.known[:, 1:].all()
    assert make_keyframe(plane_view()).known.all()


def test_a_keyframe_crosses_to_another_process():
    sent = make_keyframe(plane_view(), result())
    got = pickle.loads(pickle.dumps(sent))
    for name in ("image", "mask", "depth"):
        np.testing.assert_array_equal(getattr(got.view, name), getattr(sent.view, name))
    np.testing.assert_array_equal(got.view.camera.K, sent.view.camera.K)
    np.testing.assert_array_equal(got.known, sent.known)
    assert got.result.metrics == {"total_s": 1.0}
    assert len(pickle.dumps(sent)) < sent.byte_count + 4000


def test_memory_is_bounded_by_the_side():
    assert make_keyframe(plane_view()).byte_count <= 160 * 160 * (3 + 1 + 4 + 1)


def test_a_corrected_camera_takes_its_result_along():
    keyframe = make_keyframe(plane_view(), result())
    T = np.eye(4)
    T[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    T[:3, 3] = (0.1, -0.2, 0.3)
    moved = with_T_world_camera(keyframe, T)
    points = np.array([[0.1, 0.2, 0.9]])
    np.testing.assert_array_equal(moved.view.camera.T_world_camera, T)
    seen = [
        transform_points(invert(k.view.camera.T_world_camera) @ k.result.T_world_object, points)
        for k in (keyframe, moved)
    ]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-12)
    assert moved.view.depth.base is not None  # shared, not copied


def test_what_is_no_keyframe_is_refused():
    view = plane_view()
    with pytest.raises(EmptyMaskError, match="no pixel is marked"):
        make_keyframe(View(view.image, np.zeros_like(view.mask), CAMERA, view.depth))
    with pytest.raises(InvalidInputError, match="too small: 9 px"):
        make_keyframe(plane_view(box=(200, 220, 203, 223)))
    with pytest.raises(InvalidInputError, match="weight is 0, but must be above 0"):
        Keyframe(view, np.ones_like(view.mask), 0)

# SPDX-License-Identifier: Apache-2.0
"""The keyframes of objects as the node has them: with and without poses, moved, forgotten."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.buffer import KeyframeConfig
from recon_node.engines.reconstruction import Stage
from recon_node.engines.transforms import invert, look_at
from recon_node.refinement.object_views import ObjectViews
from recon_node.refinement.object_watch import Place
from recon_node.streams.object_store import StoredObject

POSED = SimpleNamespace(frame_id="camera", output_frame="map")
UNPOSED = SimpleNamespace(frame_id="camera", output_frame="camera")
SECOND = 10**9  # [ns]


def camera_at(angle):
    """T_world_camera of a camera half a metre from the origin, turned around the vertical."""
    eye = [0.5 * np.sin(angle), -0.15, -0.5 * np.cos(angle)]
    return look_at(eye, [0.0, 0.0, 0.0], [0.0, -1.0, 0.0])


@pytest.fixture
def views():
    """The keyframes of at most two objects."""
    return ObjectViews(KeyframeConfig(), objects=2, is_kept=True)


def without_pose(view):
    """The view as if its camera were the world."""
    camera = Camera(view.camera.K, view.camera.width, view.camera.height)
    return dataclasses.replace(view, camera=camera)


def result_of(view):
    """The hull of a view."""
    return HullEngine().reconstruct([view], object_id="lumps")


def stored(result):
    """The result as the store has it."""
    return StoredObject(result, 0, "map", 1)


def test_views_from_elsewhere_are_kept(views, lumps_view):
    """Count those that show a new side; they are new until they are taken."""
    for number, angle in enumerate((0.0, 0.01, 0.5, 1.0)):
        view = lumps_view(camera_at(angle), stamp_ns=number * SECOND)
        assert views.offer("lumps", POSED, view) is Place.SAME
    assert views.count("lumps") == 3 and views.fresh(2) == {"lumps": 3}
    start = result_of(lumps_view(camera_at(0.0)))
    keyframes, given = views.take("lumps", stored(start))
    assert len(keyframes) == 3 and given is start
    assert views.fresh(2) == {}
    views.refresh("lumps")
    assert views.fresh(2) == {"lumps": 3} and views.fresh(4) == {}
    assert views.placed(start) == (start, 3 * SECOND)


def test_object_that_moved_begins_anew(views, lumps_view):
    """Take one odd view for an error, two that agree for a move; wait for its new mesh."""
    views.offer("lumps", POSED, lumps_view(camera_at(0.0)))
    views.offer("lumps", POSED, lumps_view(camera_at(0.5)))
    away = [lumps_view(camera_at(angle), at=(0.1, 0, 0)) for angle in (0.2, 0.6)]
    assert views.offer("lumps", POSED, away[0]) is Place.UNSURE
    assert views.offer("lumps", POSED, away[1]) is Place.MOVED
    assert views.count("lumps") == 2 and not views.is_settled("lumps")
    views.settle("lumps")
    assert views.is_settled("lumps")


def test_results_in_another_frame_begin_anew(views, lumps_view):
    """Never mix keyframes of two frames."""
    views.offer("lumps", POSED, lumps_view(camera_at(0.0)))
    other = SimpleNamespace(frame_id="camera", output_frame="odom")
    assert views.offer("lumps", other, lumps_view(camera_at(0.5))) is Place.MOVED
    assert views.count("lumps") == 1


def test_useless_view_says_why(views, lumps_view):
    """Tell the reason to who asks for a refinement."""
    view = lumps_view(camera_at(0.0))
    black = dataclasses.replace(view, image=np.zeros_like(view.image))
    assert views.offer("lumps", POSED, black) is Place.UNSURE
    assert views.count("lumps") == 0 and "dark" in views.why_none("lumps")
    with pytest.raises(InvalidInputError, match="lumps has no keyframes any more"):
        views.take("lumps", stored(result_of(view)))


def test_forgotten_objects_have_no_views(views, lumps_view):
    """Forget what was cleared, and the object not seen for longest where there are too many."""
    for name in ("one", "two", "three"):
        views.offer(name, POSED, lumps_view(camera_at(0.0)))
    assert [views.count(name) for name in ("one", "two", "three")] == [0, 1, 1]
    views.forget("two")
    assert views.count("two") == 0 and views.count("three") == 1
    views.offer("two", POSED, lumps_view(camera_at(0.5)))
    assert views.count("two") == 1


def test_nothing_is_kept_where_nothing_is_refined(views, lumps_view):
    views.is_kept = False
    assert views.offer("lumps", POSED, lumps_view(camera_at(0.0))) is Place.SAME
    assert views.count("lumps") == 0


def test_cameras_without_a_pose_are_placed_by_the_mesh(views, lumps_view, lumps_result):
    """Find where cameras stood from what they see, in the frame of the first."""
    first = camera_at(0.0)
    for number, angle in enumerate((0.0, 0.12, 0.24)):
        view = without_pose(lumps_view(camera_at(angle), stamp_ns=number))
        result = lumps_result(camera_at(angle))
        assert views.offer("lumps", UNPOSED, view, result) is Place.SAME
        expected = invert(first) @ camera_at(angle)
        placed = views._seen["lumps"].T_anchor_camera
        assert np.linalg.norm(placed[:3, 3] - expected[:3, 3]) < 0.02
    keyframes, start = views.take("lumps", stored(dataclasses.replace(result, version=7)))
    assert len(keyframes) == 3 and start.version == 7
    np.testing.assert_allclose(start.T_world_object, invert(first), atol=0.02)


def test_refined_mesh_follows_cameras_without_a_pose(views, lumps_view, lumps_result):
    """Answer a view with the same mesh where the view shows it, as a child of the newest."""
    result = lumps_result(camera_at(0.0))
    views.offer("lumps", UNPOSED, without_pose(lumps_view(camera_at(0.0))), result)
    refined = dataclasses.replace(result, stage=Stage.REFINED, version=2, parent_version=1)
    placed, _ = views.placed(refined)
    np.testing.assert_allclose(placed.T_world_object, result.T_world_object, atol=1e-9)
    view = without_pose(lumps_view(camera_at(0.15)))
    assert views.offer("lumps", UNPOSED, view) is Place.SAME
    followed = views.followed(placed)
    assert (followed.version, followed.parent_version) == (3, 2)
    assert followed.mesh is refined.mesh
    np.testing.assert_allclose(followed.T_world_object, invert(camera_at(0.15)), atol=0.02)


def test_posed_results_stay_in_their_place(views, lumps_view):
    view = lumps_view(camera_at(0.0))
    result = result_of(view)
    views.offer("lumps", POSED, view, result)
    assert views.followed(result) is None


def test_camera_that_cannot_be_placed_begins_anew(views, lumps_view):
    """Take two views in a row that fit nowhere for an object that is another one now."""
    view = without_pose(lumps_view(camera_at(0.0)))
    views.offer("lumps", UNPOSED, view, result_of(view))
    lost = without_pose(lumps_view(camera_at(2.5), at=(0.12, 0.05, 0)))
    assert views.offer("lumps", UNPOSED, lost, result_of(lost)) is Place.UNSURE
    assert "does not fit the mesh" in views.why_none("lumps")
    assert views.offer("lumps", UNPOSED, lost, result_of(lost)) is Place.MOVED
    assert views.count("lumps") == 1
    np.testing.assert_array_equal(views._seen["lumps"].T_anchor_camera, np.eye(4))

# SPDX-License-Identifier: Apache-2.0
"""`recon bag --refine`: a replay counts steps, so that it comes out the same."""

import json

import numpy as np
import pytest
import trimesh

from recon_node.bag_files import BagReader
from recon_node.engines.transforms import look_at
from recon_node.messages.object_meshes import mesh_of

SECOND = 10**9  # [ns]
STEPS = 6


@pytest.fixture
def lumps_bag(record, lumps_view):
    """A bag of three views of an object from known places."""
    with record() as recording:
        for number, angle in enumerate((0.0, 0.4, 0.8)):
            stamp = (number + 1) * SECOND
            eye = [0.4 * np.sin(angle), -0.15, -0.4 * np.cos(angle)]
            view = lumps_view(look_at(eye, [0.0, 0.0, 0.0], [0.0, -1.0, 0.0]))
            depth = (1000 * view.depth).round().astype(np.uint16)
            pose = recording.pose(stamp, "map", view.camera.T_world_camera)
            recording.write("/camera_pose", pose)
            recording.write("/camera_info", recording.camera_info(stamp))
            recording.write("/image", recording.image(stamp, view.image, "rgb8"))
            recording.write("/depth", recording.image(stamp, depth, "16UC1"))
            recording.write("/mask", recording.image(stamp, view.mask.astype(np.uint8), "mono8"))
    return recording.path


@pytest.mark.slow
def test_same_seed_gives_the_same_mesh(recon, lumps_bag, tmp_path):
    """Refine once, at the end, over all views; another seed gives another mesh."""
    command = ["bag", lumps_bag, "-e", "hull", "--refine", STEPS, "--seed"]
    versions = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        run = recon(*command, seed, "-o", tmp_path / name)
        assert (run.code, run.errors) == (0, []), run.err
        with BagReader(tmp_path / name / "bag") as reader:
            versions[name] = [m.message for m in reader.messages(["/recon/objects"])]
    first = versions["first"]
    assert [(m.version, m.parent_version, m.stage) for m in first] == [
        (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 3, 2),
    ]  # fmt: skip
    assert (first[-1].view_count, first[-1].header.stamp.sec) == (3, 3)
    for mine, other in zip(first, versions["again"], strict=True):
        for name in ("vertices", "triangles", "colors", "provenance", "sigma"):
            assert np.array_equal(getattr(mine, name), getattr(other, name)), name
    assert not np.array_equal(first[-1].vertices, versions["other"][-1].vertices)
    folder = tmp_path / "first" / "object_001"
    assert json.loads((folder / "result.json").read_text())["version"] == 4
    stored = trimesh.load(folder / "mesh.ply", process=False)
    written = mesh_of(first[-1]).vertices
    np.testing.assert_array_equal(stored.vertices.astype(np.float32), written)


def test_no_steps_are_refused(recon, lumps_bag, tmp_path):
    """Say that a refinement without a limit would never end."""
    run = recon("bag", lumps_bag, "-e", "hull", "--refine", 0, "-o", tmp_path / "out")
    assert run.code == 2 and "budget and steps of a refinement are both 0" in run.errors[0]

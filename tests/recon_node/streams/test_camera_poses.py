# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera at a stamp: between two poses, near one, or nowhere."""

import numpy as np
import pytest

from recon_node.messages.poses import rigid_transform
from recon_node.streams.camera_poses import PoseBuffer

MS = 1_000_000  # [ns]


def _at(x, turn=0.0):
    """A camera at x [m], turned about z [rad]."""
    return rigid_transform((x, 0, 0), (0, 0, np.sin(turn / 2), np.cos(turn / 2)))


@pytest.fixture
def poses():
    """A camera that moves by 1 m and turns by 0.4 rad in 0.1 s."""
    buffer = PoseBuffer(slop=0.02)
    buffer.add(1000 * MS, "map", _at(0))
    buffer.add(1100 * MS, "map", _at(1, 0.4))
    return buffer


def test_interpolates_between_poses(poses):
    """Move evenly from one pose to the next."""
    frame, T = poses.lookup(1025 * MS)
    assert frame == "map"
    np.testing.assert_allclose(T, _at(0.25, 0.1), atol=1e-12)
    assert np.array_equal(poses.lookup(1100 * MS)[1], _at(1, 0.4))


def test_nearest_within_the_slop_outside(poses):
    """Take the nearest pose before the first and after the last, and none farther away."""
    assert np.array_equal(poses.lookup(985 * MS)[1], _at(0))
    assert np.array_equal(poses.lookup(1120 * MS)[1], _at(1, 0.4))
    assert poses.lookup(979 * MS) is None
    assert poses.lookup(1121 * MS) is None
    assert PoseBuffer().lookup(0) is None


def test_waits_for_the_next_pose(poses):
    """Hold the last pose for whoever cannot wait; have none yet for whoever can."""
    assert poses.lookup(1105 * MS) is not None
    assert poses.lookup(1105 * MS, final=False) is None
    assert np.array_equal(poses.lookup(1100 * MS, final=False)[1], _at(1, 0.4))
    assert np.array_equal(poses.lookup(995 * MS, final=False)[1], _at(0))
    poses.add(1200 * MS, "map", _at(3, 0.4))
    np.testing.assert_allclose(poses.lookup(1105 * MS, final=False)[1], _at(1.1, 0.4), atol=1e-9)


def test_does_not_bridge_gaps_or_frames(poses):
    """Interpolate neither over more than half a second nor between two frames."""
    poses.add(1601 * MS, "map", _at(2))
    assert poses.lookup(1300 * MS) is None
    poses.add(1650 * MS, "odom", _at(3))
    assert poses.lookup(1625 * MS + 1) is None
    assert poses.lookup(1640 * MS)[0] == "odom"


def test_late_and_repeated_poses(poses):
    """Sort in a pose that comes late, and let the newer of two of one stamp win."""
    poses.add(1050 * MS, "map", _at(0))
    poses.add(1050 * MS, "map", _at(5))
    assert len(poses) == 3
    np.testing.assert_allclose(poses.lookup(1025 * MS)[1], _at(2.5), atol=1e-12)


def test_jump_back_starts_anew(poses):
    """Forget the poses of the first loop when a bag starts over, but not for a little disorder."""
    poses.add(100 * MS, "map", _at(7))
    assert len(poses) == 3
    poses.add(99 * MS, "map", _at(8))
    assert len(poses) == 1
    assert poses.lookup(1050 * MS) is None
    assert np.array_equal(poses.lookup(99 * MS)[1], _at(8))


def test_is_bounded():
    """Keep the latest poses only."""
    buffer = PoseBuffer()
    for number in range(2500):
        buffer.add(number * MS, "map", _at(number))
    assert len(buffer) == 2000
    assert buffer.lookup(400 * MS) is None
    assert buffer.lookup(2499 * MS)[1][0, 3] == 2499

# SPDX-License-Identifier: Apache-2.0
"""Motion between two transforms: its ends, its middle, its speed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.engines.interpolation import interpolate
from recon_node.engines.transforms import as_rotation, invert
from recon_node.messages.poses import quaternion_xyzw, rigid_transform

_VECTORS = arrays(np.float64, 3, elements=st.floats(-1, 1))


def _turned(axis, angle, t=(0, 0, 0)):
    """The transform by a turn [rad] about an axis of any length, through its quaternion."""
    axis = np.asarray(axis, np.float64) + (0, 0, 1e-3)
    axis /= np.linalg.norm(axis)
    return rigid_transform(tuple(t), (*(np.sin(angle / 2) * axis), np.cos(angle / 2)))


@given(axis=_VECTORS, angle=st.floats(0, np.pi), t=_VECTORS, share=st.floats(0, 1))
def test_constant_speed_about_one_axis(axis, angle, t, share):
    """Turn by a share of the angle and move by a share of the way, wherever the motion starts."""
    start = _turned((0.3, -0.5, 0.2), 1.1, (1, 2, 3))
    moved = start @ _turned(axis, angle, t)
    between = invert(start) @ interpolate(start, moved, share)
    np.testing.assert_allclose(between, _turned(axis, share * angle, share * t), atol=1e-6)
    as_rotation(between[:3, :3])


@given(axis=_VECTORS, angle=st.floats(0, np.pi - 1e-3), share=st.floats(0, 1))
def test_agrees_with_slerp(axis, angle, share):
    """Give the spherical interpolation of the quaternions (Shoemake 1985, equation 5)."""
    moved = _turned(axis, angle)
    q_0, q_1 = np.array([0.0, 0, 0, 1]), quaternion_xyzw(moved[:3, :3])
    half = np.arccos(min(q_0 @ q_1, 1.0))
    if half < 1e-6:
        return
    q = (np.sin((1 - share) * half) * q_0 + np.sin(share * half) * q_1) / np.sin(half)
    between = interpolate(np.eye(4), moved, share)
    np.testing.assert_allclose(between, rigid_transform((0, 0, 0), tuple(q)), atol=1e-6)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns(axis):
    """Pass a half turn's middle at a quarter turn, about either end of the axis."""
    half = _turned(axis * 1e6, np.pi)
    middle = interpolate(np.eye(4), half, 0.5)
    np.testing.assert_allclose(middle @ middle, half, atol=1e-6)

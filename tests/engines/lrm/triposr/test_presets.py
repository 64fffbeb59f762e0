# SPDX-License-Identifier: Apache-2.0
"""What is particular to each checkpoint of the family."""

import math

import pytest

from recon_node.engines.errors import UnknownNameError
from recon_node.engines.lrm.triposr.presets import PRESETS, REAL3D, TRIPOSR, preset_named


def test_a_presets_camera_sees_its_object_whole():
    """An object of the family's size fills the share of the picture that the preset asks for."""
    for preset in PRESETS.values():
        assert preset.half_field == pytest.approx(preset.distance * preset.tan_half_fov)
        assert preset.foreground_ratio * preset.half_field < 0.87, "the cube would cut it"


def test_the_virtual_camera_is_the_published_one():
    """Focal length 1.3737 of the picture's side for TripoSR, 1.3888 for Real3D."""
    assert 0.5 / TRIPOSR.tan_half_fov == pytest.approx(1.3737, abs=1e-4)
    assert 0.5 / REAL3D.tan_half_fov == pytest.approx(1.3888, abs=1e-3)
    assert math.radians(REAL3D.field_of_view) == pytest.approx(0.691150367, abs=1e-4)


def test_an_unknown_preset_names_the_known():
    assert preset_named("real3d") is REAL3D
    with pytest.raises(UnknownNameError, match="preset 'tripsr'; known: real3d, triposr; did you"):
        preset_named("tripsr")

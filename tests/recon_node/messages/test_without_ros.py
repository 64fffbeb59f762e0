# SPDX-License-Identifier: Apache-2.0
"""Everything between messages and arrays is there where ROS is not: bags are read without it."""

import subprocess
import sys
from pathlib import Path

import pytest

import recon_node.messages

MODULES = sorted(
    f"recon_node.messages.{path.stem}"
    for path in Path(recon_node.messages.__file__).parent.glob("[a-z]*.py")
)
FIND_NO_ROS = """
import importlib, sys

class NoROS:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rclpy", "recon") or name.partition(".")[0].endswith("_msgs"):
            raise ModuleNotFoundError(f"no {name} here")

sys.meta_path.insert(0, NoROS())
for name in sys.argv[1:]:
    importlib.import_module(name)
print("imported")
"""


def test_modules_import_where_ros_is_not(tmp_path):
    assert len(MODULES) > 5
    command = [sys.executable, "-c", FIND_NO_ROS, *MODULES]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (run.stdout, run.returncode) == ("imported\n", 0), run.stderr


def test_what_needs_ros_says_so(stored, monkeypatch):
    from recon_node.engines.errors import MissingPackageError
    from recon_node.messages.clouds import surface_cloud
    from recon_node.messages.markers import object_marker
    from recon_node.messages.object_meshes import object_mesh
    from recon_node.messages.shape_meshes import shape_mesh

    for name in ("recon.msg", "sensor_msgs.msg", "visualization_msgs.msg", "shape_msgs.msg"):
        monkeypatch.setitem(sys.modules, name, None)
    options = {"points_per_object": 1, "stamp_ns": 0, "frame_id": "map", "seed": 0}
    for make in (
        lambda: object_mesh(stored),
        lambda: surface_cloud([stored], **options),
        lambda: object_marker(stored, triangle_limit=0),
        lambda: shape_mesh(stored.result.mesh),
    ):
        with pytest.raises(MissingPackageError, match="could not be imported .* install"):
            make()

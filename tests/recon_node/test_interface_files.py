# SPDX-License-Identifier: Apache-2.0
"""The interfaces' text, in the layout of a checkout and in that of an installed package."""

import subprocess
import sys
from pathlib import Path

import pytest

from recon_node.engines.errors import UnknownNameError
from recon_node.interface_files import interface_text, interface_texts

ROOT = Path(__file__).resolve().parents[2]


def test_every_interface_of_the_checkout_is_there():
    """Find each file under its ROS type name, byte for byte."""
    expected = {
        f"recon/{kind}/{path.stem}": path.read_text()
        for kind in ("msg", "srv", "action")
        for path in (ROOT / kind).iterdir()
    }
    assert "recon/msg/ObjectMesh" in expected
    assert interface_texts() == expected


def test_one_interface_is_one_of_all():
    """Agree with the dictionary of all."""
    assert interface_text("msg", "ObjectMesh") == interface_texts()["recon/msg/ObjectMesh"]


def test_copied_tree_finds_its_own_interfaces(tmp_path):
    """Prefer the folders inside the package: the layout of a wheel and of a colcon workspace."""
    package = tmp_path / "recon_node"
    (package / "engines").mkdir(parents=True)
    (package / "msg").mkdir()
    for name in ("recon_node/__init__.py", "recon_node/interface_files.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (package / "engines" / "__init__.py").touch()
    (package / "engines" / "errors.py").write_bytes((ROOT / "engines/errors.py").read_bytes())
    (package / "msg" / "Marked.msg").write_text("uint8 marked\n")
    code = "from recon_node.interface_files import interface_texts; print(interface_texts())"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "{'recon/msg/Marked': 'uint8 marked\\n'}\n"


def test_unknown_names_are_refused_with_the_nearest():
    """Name what there is."""
    with pytest.raises(UnknownNameError, match="did you mean 'ObjectMesh'"):
        interface_text("msg", "ObjectMesch")
    with pytest.raises(UnknownNameError, match="known: action, msg, srv"):
        interface_text("message", "ObjectMesh")

# SPDX-License-Identifier: Apache-2.0
"""What colcon, rosdep and pip are told about recon agrees with what is there."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from recon_node.interface_files import interface_texts
from recon_node.node_config import NodeConfig

ROOT = Path(__file__).resolve().parents[1]
CMAKE = (ROOT / "CMakeLists.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Import names and the rosdep keys that are called otherwise.
ROSDEP_KEYS = {
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "PIL": "python3-pil",
    "rich": "python3-rich",
    "trimesh": "python3-trimesh-pip",
    "yaml": "python3-yaml",
    "tf2_ros": "tf2_ros_py",
}
WITHOUT_KEY = {"warp", "manifold3d"}  # docs/ros.md says how to install them
# What the node runs without: packages of extras, and what only measurements use.
OPTIONAL = {
    "torch", "safetensors", "onnx", "onnx_ir", "lightning_fabric", "tensorboard", "scipy",
    "rosbags", "viser", "huggingface_hub",
}  # fmt: skip


def _ours(folders: tuple[str, ...]) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _third_party_imports(paths: list[Path]) -> set[str]:
    """Top-level names of everything imported, by statement or by name, that is not Python's."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
            elif isinstance(node, ast.Call) and node.args:
                called = ast.unparse(node.func).rpartition(".")[2]
                first = node.args[0]
                by_name = called in ("import_module", "require_package")
                if by_name and isinstance(first, ast.Constant):
                    names.add(first.value)
    tops = {name.partition(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names) - {"recon_node"}


NODE_IMPORTS = _third_party_imports(_ours(("recon_node", "engines", "kernels", "launch")))


def _fields(text: str) -> Iterator[str]:
    """Lines of an interface that define a field or a constant."""
    lines = (line for line in text.splitlines() if line.strip())
    return (line for line in lines if not line.lstrip().startswith("#") and line != "---")


def _cmake_list(name: str) -> list[str]:
    return re.search(rf"set\({name}\s([^)]*)\)", CMAKE).group(1).split()


def test_package_xml_is_valid_and_says_what_pip_says():
    """Parse it as rosdep and colcon do, without a warning."""
    catkin = pytest.importorskip("catkin_pkg.package", reason="requirements/ros_build.txt has it")
    warnings = []
    package = catkin.parse_package(str(ROOT / "package.xml"), warnings=warnings)
    assert warnings == []
    assert (package.name, package.version) == (PROJECT["name"], PROJECT["version"])
    assert package.package_format == 3
    assert [group.name for group in package.member_of_groups] == ["rosidl_interface_packages"]
    assert package.get_build_type() == "ament_cmake"


def test_imports_are_declared_to_rosdep():
    """Find everything that the node or a launch file imports in package.xml, and nothing more."""
    catkin = pytest.importorskip("catkin_pkg.package", reason="requirements/ros_build.txt has it")
    package = catkin.parse_package(str(ROOT / "package.xml"))
    needed = {
        ROSDEP_KEYS.get(name, name) for name in NODE_IMPORTS - WITHOUT_KEY - OPTIONAL - {"recon"}
    }
    declared = {depend.name for depend in package.exec_depends}
    assert needed <= declared
    of_interfaces = set(_cmake_list("MESSAGE_PACKAGES")) | {"rosidl_default_runtime"}
    assert declared - needed <= of_interfaces
    assert set(_cmake_list("MESSAGE_PACKAGES")) <= {depend.name for depend in package.build_depends}
    found = set(re.findall(r"find_package\((\w+) REQUIRED\)", CMAKE))
    assert found <= {depend.name for depend in package.buildtool_depends}


def test_imports_are_declared_to_pip():
    """Find the node's ROS packages in the extra `ros`, each with an exact version."""
    extra = PROJECT["optional-dependencies"]["ros"]
    assert all(re.fullmatch(r"ros-[a-z-]+(\[\w+\])?==[\d.]+", line) for line in extra)
    pinned = {re.match(r"ros-([a-z-]+)", line).group(1).replace("-", "_") for line in extra}
    ros = re.compile("rclpy|.*_msgs|.*_interfaces")
    used = {name for name in NODE_IMPORTS if ros.fullmatch(name)}
    assert {"rclpy", "sensor_msgs", "geometry_msgs"} <= used
    assert used <= pinned
    assert pinned - used <= {"action_msgs", "builtin_interfaces", "std_msgs"}  # of our messages


def test_constraints_fix_every_ros_wheel():
    """Leave pip no choice among distributions of ROS."""
    extra = PROJECT["optional-dependencies"]["ros"]
    build = (ROOT / "requirements" / "ros_build.txt").read_text().splitlines()
    constraints = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    for line in [*extra, *build]:
        if line.startswith("ros-"):
            assert re.sub(r"\[\w+\]", "", line) in constraints


@pytest.mark.parametrize("name", sorted(interface_texts()))
def test_every_field_is_explained(name):
    """Find a comment beside each field and constant, units and frames among them."""
    fields = list(_fields(interface_texts()[name]))
    assert fields
    assert [field for field in fields if not re.search(r"# +\S", field)] == []


def test_cmake_lists_what_there_is():
    """Agree on interfaces, rooms and executables."""
    files = [path for kind in ("msg", "srv", "action") for path in (ROOT / kind).iterdir()]
    assert sorted(_cmake_list("INTERFACES")) == sorted(
        path.relative_to(ROOT).as_posix() for path in files
    )
    rooms = re.search(r"ROOMS = (\{.*?\})", (ROOT / "setup.py").read_text(), re.DOTALL).group(1)
    expected = {
        folder: "recon_node" if folder == "recon_node" else f"recon_node.{folder}"
        for folder in _cmake_list("ROOM_FOLDERS")
    }
    assert {folder: name for name, folder in ast.literal_eval(rooms).items()} == expected
    executables = dict(re.findall(r"install_executable\((\w+) ([\w.]+)\)", CMAKE))
    assert {"recon", "recon_node", "synthetic_camera"} <= set(executables)
    for module in executables.values():
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_launch_arguments_are_parameters_and_topics_of_the_node():
    """Read recon.launch.py without launch, which PyPI does not have."""
    tree = ast.parse((ROOT / "launch" / "recon.launch.py").read_text())
    tables = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert {key.value for key in tables["TOPICS"].keys} == {
        "image", "mask", "depth", "camera_info", "camera_pose",
    }  # fmt: skip
    defaults = NodeConfig().values() | {"use_sim_time": False}
    for row in tables["PARAMETERS"].values:
        kind, parameter, _ = row.elts
        assert kind.id == type(defaults[parameter.value]).__name__, parameter.value

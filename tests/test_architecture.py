# SPDX-License-Identifier: Apache-2.0
"""What no single file can promise: who imports whom, sizes, import names, the public surface."""

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("recon_node", "engines", "kernels", "training", "evaluation")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Rooms that a room may import when it is itself imported, and those only inside functions.
ALLOWED = {
    "recon_node": {"recon_node", "engines", "kernels"},
    "engines": {"engines", "kernels"},
    "kernels": {"kernels"},
    "training": {"training", "evaluation", "engines", "kernels"},
    "evaluation": {"evaluation", "engines", "kernels"},
}
ALLOWED_LATE = {"recon_node": {"training", "evaluation"}}

# Packages that only some places may import: path prefixes from the root of the checkout.
CONFINED = {
    "torch": (
        "engines/fields/",
        "engines/terms/",
        "engines/refine/",
        "engines/lrm/model.py",
        "engines/lrm/stored_model.py",
        "engines/lrm/triposr/checkpoint.py",
        "engines/lrm/triposr/model.py",
        "engines/lrm/triposr/random_weights.py",
        "engines/lrm/triposr/transformer.py",
        "engines/lrm/triposr/vit.py",
        "engines/backends/torch_backend.py",
        "engines/backends/cuda_replay.py",
        "engines/backends/export",
        "kernels/composite.py",
        "kernels/hash_grid.py",
        "kernels/ray_box.py",
        "kernels/ray_march.py",
        "kernels/reference.py",
        "kernels/torch_launch.py",
        "training/",
    ),
    "onnx": ("engines/backends/export", "engines/backends/typed_graph.py"),
    "onnx_ir": ("engines/backends/export",),
    "onnxruntime": ("engines/backends/",),
    "safetensors": (
        "engines/lrm/stored_model.py",
        "engines/lrm/triposr/checkpoint.py",
        "engines/backends/torch_backend.py",
        "engines/backends/export",
        "training/",
    ),
    "huggingface_hub": ("engines/lrm/triposr/source.py",),
    "tensorrt": ("engines/backends/tensorrt_package.py",),
    "tensorrt_rtx": ("engines/backends/tensorrt_package.py",),
    "open3d": ("evaluation/open3d_package.py",),
    "libusb_package": ("evaluation/open3d_package.py",),
    "scipy": ("training/", "evaluation/"),
    "matplotlib": ("training/", "evaluation/"),
    "warp": ("kernels/", "tests/"),
    "rclpy": ("recon_node/", "examples/ros_"),
    "rosbags": ("recon_node/bag_files.py",),
}
HEAVY = (
    "torch",
    "scipy",
    "diffusers",
    "onnxruntime",
    "tensorrt",
    "tensorrt_rtx",
    "open3d",
    "rclpy",
    "matplotlib",
)


def _room_files() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def _all_files() -> list[Path]:
    others = [path for folder in ("tests", "examples") for path in (ROOT / folder).rglob("*.py")]
    return _room_files() + sorted(others)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(tree: ast.AST, *, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Every imported module of a syntax tree, and whether the import runs late, in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # `from recon_node import engines` reaches a room by a name of the list.
            yield from ((f"{node.module}.{alias.name}", late) for alias in node.names)
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(node, late=late or in_function)


def _room_of(module: str) -> str | None:
    """The room a dotted module name belongs to; None if it is not ours."""
    first, _, rest = module.partition(".")
    if first != "recon_node":
        return None
    second = rest.partition(".")[0]
    return second if second in ROOMS else "recon_node"


def _run_python(code: str, cwd: Path) -> str:
    """Standard output of the code in a fresh interpreter, away from the checkout."""
    run = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_rooms_hold_code():
    """Guard the tests below against looking into empty folders."""
    assert {path.relative_to(ROOT).parts[0] for path in _room_files()} == set(ROOMS)


@pytest.mark.parametrize("path", _room_files(), ids=_name)
def test_imports_point_one_way(path):
    """Keep recon_node → engines → kernels and training → evaluation → engines."""
    room = path.relative_to(ROOT).parts[0]
    for module, late in _imports(ast.parse(path.read_text())):
        target = _room_of(module)
        allowed = ALLOWED[room] | (ALLOWED_LATE.get(room, set()) if late else set())
        assert target is None or target in allowed, f"{_name(path)} imports {module}"


@pytest.mark.parametrize("path", _all_files(), ids=_name)
def test_imports_stay_confined(path):
    """Keep each special package in the places made for it, and relative imports out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "write imports absolute"
    if path.is_relative_to(ROOT / "tests"):
        return
    for module, _ in _imports(tree):
        places = CONFINED.get(module.partition(".")[0])
        assert places is None or _name(path).startswith(places), f"{_name(path)} imports {module}"


@pytest.mark.parametrize("path", _all_files(), ids=_name)
def test_files_and_functions_stay_small(path):
    """Force a split before a file or a function outgrows a reader; every file has its licence."""
    text = path.read_text()
    lines = text.splitlines()
    assert lines[:1] == ["# SPDX-License-Identifier: Apache-2.0"]
    assert len(lines) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= MAX_FUNCTION_LINES, node.name


def test_room_files_say_nothing_at_import():
    """Keep every __init__.py empty, but for the one that exports load_engine."""
    for path in _room_files():
        if path.name == "__init__.py" and path != ROOT / "engines" / "__init__.py":
            assert not ast.parse(path.read_text()).body, f"{_name(path)} holds code"


def _modules_with_all() -> list[str]:
    modules = []
    for path in _room_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "__all__ =" in path.read_text():
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            modules.append(".".join(parts if parts[0] == "recon_node" else ("recon_node", *parts)))
    return modules


@pytest.mark.parametrize("module", _modules_with_all())
def test_all_is_real(module):
    """Find every name of `__all__`, each once."""
    loaded = importlib.import_module(module)
    assert len(set(loaded.__all__)) == len(loaded.__all__)
    for name in loaded.__all__:
        assert hasattr(loaded, name), f"{module}.__all__ lists {name}, which does not exist"


def test_installed_names_are_below_one_root():
    """Install no import name but recon_node."""
    top_level = importlib.metadata.distribution("recon").read_text("top_level.txt")
    assert top_level.split() == ["recon_node"]


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "recon_node"])
def test_bare_room_does_not_find_us(room, tmp_path):
    """Leave `kernels` and its like to whoever owns them; ours answer below recon_node only."""
    code = f"""
import importlib.util
import recon_node.{room} as ours
spec = importlib.util.find_spec("{room}")
print(ours.__file__, None if spec is None else spec.origin)
"""
    ours, bare = _run_python(code, tmp_path).split()
    assert ours.endswith(f"{room}/__init__.py")
    assert bare != ours
    assert bare == "None" or not Path(bare).resolve().is_relative_to(ROOT / room)


@pytest.mark.parametrize("module", ["recon_node.engines", "recon_node.cli"])
def test_import_is_light(module, tmp_path):
    """Start without any of the heavy packages; each is imported by the call that needs it."""
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    assert _run_python(code, tmp_path).split() == []


def test_public_api_is_unchanged():
    """Compare the public surface with this snapshot; changing it is a decision, not an accident."""
    engines = importlib.import_module("recon_node.engines")
    assert engines.__all__ == ["load_engine"]
    load_engine = inspect.signature(engines.load_engine)
    parameters = {
        name: (parameter.kind.description, parameter.default)
        for name, parameter in load_engine.parameters.items()
    }
    assert parameters == {
        "name": ("positional or keyword", inspect.Parameter.empty),
        "backend": ("keyword-only", "onnxruntime"),
        "weights": ("keyword-only", None),
        "options": ("keyword-only", None),
    }


def test_one_onnxruntime():
    """Find at most one of the two distributions that install the same files."""
    installed = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
    assert not {"onnxruntime", "onnxruntime-gpu"} <= installed

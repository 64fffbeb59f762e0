# SPDX-License-Identifier: Apache-2.0
"""The instant path runs on the base install: every package that only extras bring is blocked."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

SIZE = 128  # [px]
FOCAL = 160.0  # [px]
RADIUS, DISTANCE = 0.05, 0.5  # of the sphere [m]

# A finder in front of all others refuses the blocked packages, as if they were not installed.
RUN_BLOCKED = """
import sys

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked by the test)", name=name)

blocked = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Blocker)
at_start = set(sys.modules)  # setuptools hooks into every start of an interpreter
from recon_node.cli import main
code = main(sys.argv[1:])
brought = blocked & (set(sys.modules) - at_start)
assert not brought, brought
sys.exit(code)
"""


def _base_distributions() -> set[str]:
    """Names of the distributions that `pip install recon`, without extras, brings."""
    found, waiting = set(), ["recon"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def _blocked_packages() -> set[str]:
    """Import names that are not in the base install, those not installed here included."""
    base = _base_distributions()
    blocked = {"torch", "scipy", "skimage", "cv2", "diffusers", "matplotlib", "rclpy"}
    for package, distributions in importlib.metadata.packages_distributions().items():
        if not {canonicalize_name(name) for name in distributions} & base:
            blocked.add(package)
    return blocked


def _run(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", RUN_BLOCKED, ",".join(_blocked_packages()), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def sphere_scene(tmp_path: Path) -> Path:
    """A folder with image, mask, depth and camera of a shaded sphere in front of the camera."""
    centres = np.arange(SIZE) + 0.5 - SIZE / 2
    x, y = np.meshgrid(centres / FOCAL, centres / FOCAL)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)  # (H, W, 3), z = 1
    along = rays[..., 2] * DISTANCE
    squared = (rays**2).sum(axis=-1)
    discriminant = along**2 - squared * (DISTANCE**2 - RADIUS**2)
    mask = discriminant > 0
    depth = np.where(mask, (along - np.sqrt(np.maximum(discriminant, 0))) / squared, 0)  # [m]
    shade = np.where(mask, 255 - 1500 * (depth - depth[mask].min()), 40).astype(np.uint8)
    Image.fromarray(np.stack([shade, shade // 2, shade // 3], axis=-1)).save(tmp_path / "ball.png")
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    Image.fromarray(np.round(depth * 1000).astype(np.uint16)).save(tmp_path / "depth.png")
    K = [FOCAL, 0, SIZE / 2, 0, FOCAL, SIZE / 2, 0, 0, 1]
    camera = {"width": SIZE, "height": SIZE, "K": K}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    return tmp_path


def test_base_install_leaves_torch_out():
    """Guard the two lists: what is blocked, and what may stay."""
    assert {"numpy", "onnxruntime", "warp-lang", "trimesh", "manifold3d"} <= _base_distributions()
    blocked = _blocked_packages()
    assert {"torch", "scipy", "hypothesis"} <= blocked
    assert not {"numpy", "onnxruntime", "warp", "PIL", "recon_node", "yaml"} & blocked


def test_missing_extra_is_named(sphere_scene):
    """Ask for the torch backend without torch: one line with the way to install it."""
    run = _run(
        ["reconstruct", "ball.png", "--mask", "mask.png", "--backend", "torch", "-o", "out"],
        sphere_scene,
    )
    assert ".[torch]" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("with_depth", [True, False], ids=["depth", "rgb"])
@pytest.mark.parametrize("engine", ["compact", "hull"])
def test_reconstruct_without_extras(engine, with_depth, sphere_scene):
    """Reconstruct a sphere by each engine, served by itself and not by the rung below it."""
    depth = ["--depth", "depth.png"] if with_depth else []
    run = _run(
        ["reconstruct", "ball.png", "--mask", "mask.png", "--camera", "camera.json", *depth]
        + ["--engine", engine, "-o", "out"],
        sphere_scene,
    )
    assert run.returncode == 0, run.stderr
    files = {path.name: path for path in (sphere_scene / "out").rglob("*")}
    assert {"mesh.ply", "mesh.glb", "preview.png", "result.json"} <= set(files)
    result = json.loads(files["result.json"].read_text())
    assert result["engine"] == engine, run.stderr
    assert result["watertight"]
    if with_depth:
        # Generous: this is about the install; the evaluation measures quality.
        assert 0.6 < max(result["extents_mm"]) / (2000 * RADIUS) < 1.6


@pytest.mark.slow
def test_an_exported_triposr_runs_without_extras(triposr_file, sphere_scene):
    """Run the folder that `recon export` wrote where torch is."""
    from recon_node.engines.backends.export_triposr import export_triposr

    export_triposr(triposr_file, sphere_scene / "weights")
    run = _run(
        ["reconstruct", "ball.png", "--mask", "mask.png", "--camera", "camera.json"]
        + ["--depth", "depth.png", "--engine", "triposr", "--weights", "weights", "-o", "out"],
        sphere_scene,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads((sphere_scene / "out" / "result.json").read_text())
    assert result["engine"] == "triposr", run.stderr
    assert max(result["extents_mm"]) == pytest.approx(2000 * RADIUS, rel=0.1)


def test_a_checkpoint_without_torch_names_the_export(
    triposr_file, sphere_scene, tmp_path, monkeypatch
):
    """Say where the graphs can be made, and leave nothing in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = _run(
        ["reconstruct", "ball.png", "--mask", "mask.png", "--engine", "triposr"]
        + ["--weights", str(triposr_file), "-o", "out"],
        sphere_scene,
    )
    assert run.returncode == 2
    assert "`recon export`" in run.stderr and ".[torch]" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "cache" / "recon").exists()

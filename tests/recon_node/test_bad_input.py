# SPDX-License-Identifier: Apache-2.0
"""Bad input to `recon reconstruct`: one line, exit code 2, nothing written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.lrm.networks import WEIGHTS_FILE


def save_image(path, pixels):
    """The path, after the pixels were written there."""
    Image.fromarray(np.asarray(pixels)).save(path)
    return path


def save_array(path, array):
    """The path, after the array was written there."""
    np.save(path, array)
    return path


def save_text(path, text):
    """The path, after the text was written there."""
    path.write_text(text)
    return path


# Each case: the option, what makes its file, and what the one line must say.
BAD_FILES = {
    "missing image": ("image", lambda p: p / "no.png", "there is no such file"),
    "unreadable image": ("image", lambda p: save_text(p / "bad.png", "hello"), "damaged or no pic"),
    "float image": (
        "image",
        lambda p: save_image(p / "bad.tiff", np.ones((72, 96), np.float32)),
        "floating-point values, not colours",
    ),
    "missing mask": ("mask", lambda p: p / "no.png", "there is no such file"),
    "unreadable mask": ("mask", lambda p: save_text(p / "bad.png", ""), "damaged or no picture"),
    "coloured mask": (
        "mask",
        lambda p: save_image(p / "bad.png", np.full((72, 96, 3), (255, 0, 90), np.uint8)),
        "is a colour picture",
    ),
    "mask of another size": (
        "mask",
        lambda p: save_image(p / "bad.png", np.full((96, 72), 255, np.uint8)),
        "is 72x96, but image",
    ),
    "empty mask": (
        "mask",
        lambda p: save_image(p / "bad.png", np.zeros((72, 96), np.uint8)),
        "marks no object",
    ),
    "tiny mask": (
        "mask",
        lambda p: save_image(
            p / "bad.png", np.pad(np.full((2, 2), 255, np.uint8), ((30, 40), (40, 54)))
        ),
        "16",
    ),
    "missing depth": ("depth", lambda p: p / "no.png", "there is no such file"),
    "unreadable depth": ("depth", lambda p: save_text(p / "bad.npy", "depth"), "cannot read depth"),
    "8-bit depth": (
        "depth",
        lambda p: save_image(p / "bad.png", np.full((72, 96), 90, np.uint8)),
        "8 bits a pixel",
    ),
    "depth of another size": (
        "depth",
        lambda p: save_array(p / "bad.npy", np.ones((70, 96))),
        "is 96x70, but image",
    ),
    "NaN depth": (
        "depth",
        lambda p: save_array(p / "bad.npy", np.full((72, 96), np.nan)),
        "has no valid pixel",
    ),
    "infinite depth": (
        "depth",
        lambda p: save_array(p / "bad.npy", np.full((72, 96), np.inf)),
        "has no valid pixel",
    ),
    "zero depth": (
        "depth",
        lambda p: save_image(p / "bad.png", np.zeros((72, 96), np.uint16)),
        "has no valid pixel",
    ),
    "missing camera": ("camera", lambda p: p / "no.yaml", "there is no such file"),
    "unreadable camera": ("camera", lambda p: save_text(p / "bad.yaml", "a: ["), "cannot read cam"),
    "camera of another size": (
        "camera",
        lambda p: save_text(
            p / "bad.json", json.dumps({"width": 9, "height": 9, "K": [9, 0, 4, 0, 9, 4, 0, 0, 1]})
        ),
        "is 9x9, but image",
    ),
    "uncalibrated camera": (
        "camera",
        lambda p: save_text(
            p / "bad.json", json.dumps({"width": 96, "height": 72, "K": 9 * [0]})
        ),
        "never calibrated",
    ),
}


def assert_fails(run, output, message):
    """One error line with the message, exit code 2, and no trace of an output directory."""
    assert run.code == 2, run.err
    (error,) = run.errors
    assert message in error
    assert "Traceback" not in run.err
    assert len(error) < 400
    assert not Path(output).exists()


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(case, ball, recon, tmp_path):
    """Name the file, what is wrong and what to do."""
    option, make, message = BAD_FILES[case]
    path = make(tmp_path)
    run = recon(*ball.command(**{option: path}))
    assert_fails(run, ball.path("out"), message)
    if case != "tiny mask":  # found by the crop, which knows no files
        assert str(path) in run.errors[0]


def test_one_pixel(recon, tmp_path):
    """Refuse an image of one pixel."""
    save_image(tmp_path / "image.png", np.zeros((1, 1, 3), np.uint8))
    save_image(tmp_path / "mask.png", np.full((1, 1), 255, np.uint8))
    run = recon(
        "reconstruct", tmp_path / "image.png", "--mask", tmp_path / "mask.png", "--engine", "hull",
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert_fails(run, tmp_path / "out", "mask")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"engine": "hul"}, "known: compact, hull, triposr; did you mean 'hull'?"),
        ({"depth_unit": "0"}, "is not a positive length"),
        ({"depth": None, "depth_unit": "0.001"}, "--depth-unit is given without --depth"),
        ({"mask": None}, "give --mask MASK"),
    ],
)
def test_bad_option(options, message, ball, recon):
    """Name the option, its value and what is allowed."""
    assert_fails(recon(*ball.command(**options)), ball.path("out"), message)


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
@pytest.mark.parametrize(
    "content, message",
    [
        (None, "is missing"),
        (b"", "is not a safetensors file"),
        (b"no weights at all, but text of some length", "is not a safetensors file"),
        ((2).to_bytes(8, "little") + b"{}tail", "it is truncated or corrupt"),
    ],
)
def test_bad_weights(backend, content, message, ball, recon, tmp_path):
    """Name the weights file, and what to do, where it is missing or corrupt."""
    weights = tmp_path / "weights"
    weights.mkdir()
    if content is not None:
        (weights / WEIGHTS_FILE).write_bytes(content)
    run = recon(*ball.command(engine="compact", backend=backend, weights=weights))
    assert_fails(run, ball.path("out"), message)
    assert str(weights / WEIGHTS_FILE) in run.errors[0]


def test_unknown_backend(ball, recon):
    """List the backends, the nearest first in mind."""
    run = recon(*ball.command(engine="compact", backend="onnx"))
    assert_fails(run, ball.path("out"), "unknown backend 'onnx'; known: onnxruntime, tensorrt")


@pytest.mark.parametrize("option", ["mask", "depth"])
def test_folder_takes_no_single_files(option, ball, recon, tmp_path):
    """Refuse options that belong to one picture, with a folder."""
    (tmp_path / "pictures").mkdir()
    others = {"mask": None, "depth": None} | {option: ball.path(f"{option}.png")}
    run = recon(*ball.command(image=tmp_path / "pictures", **others))
    assert_fails(run, ball.path("out"), "is a folder, where masks and depth maps are found by name")


def test_folder_without_scenes(ball, recon, tmp_path):
    """Say what a folder should hold."""
    (tmp_path / "pictures").mkdir()
    run = recon(*ball.command(image=tmp_path / "pictures", mask=None, depth=None))
    assert_fails(run, ball.path("out"), "holds no scene")


def test_output_below_a_file(ball, recon, tmp_path):
    """Refuse an output directory that cannot be made, before any work."""
    (tmp_path / "file").write_text("")
    run = recon(*ball.command(output=tmp_path / "file" / "out"))
    assert run.code == 2
    assert "Not a directory; choose another place with -o" in run.errors[0]


def test_read_only_output(ball, recon):
    """Refuse a file system that takes no files."""
    run = recon(*ball.command(output="/proc/recon_out"))
    assert run.code == 2
    assert "cannot write /proc/recon_out" in run.errors[0]


# Files may grow to 40 kB only: result.json fits, the meshes do not. A full disk stops a write in
# the same place; this needs no disk of its own.
RUN_LIMITED = """
import resource, sys
from recon_node.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_disk_full(is_new, ball):
    """Leave the output directory as it was when a file cannot be completed."""
    out = ball.folder / "out"
    if not is_new:
        out.mkdir()
        (out / "result.json").write_text("old")
    run = subprocess.run(
        [sys.executable, "-c", RUN_LIMITED, *ball.command()], capture_output=True, text=True
    )
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if line.startswith("recon: error:")]
    assert lines == [
        f"recon: error: cannot write {out}/mesh.ply: File too large; choose another place with -o, "
        "or free this one"
    ]
    assert "Traceback" not in run.stderr
    if is_new:
        assert not out.exists()
    else:
        assert [path.name for path in out.iterdir()] == ["result.json"]
        assert (out / "result.json").read_text() == "old"

# SPDX-License-Identifier: Apache-2.0
"""A ball on disk, seen by a camera: image, mask, depth and intrinsics that belong together."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.cli import main
from recon_node.engines.camera import Camera, View

WIDTH, HEIGHT, FOCAL = 96, 72, 110.0  # [px]
RADIUS, DISTANCE = 0.05, 0.30  # [m]


@dataclass(frozen=True, eq=False)
class Ball:
    """The ball's arrays, and the folder of its files.

    Attributes:
        folder: Holds ball.png, mask.png, depth.png (mm) and camera.json.
        image: u8 (H, W, 3).
        mask: bool (H, W).
        depth: f32 (H, W) [m], NaN unknown.
        camera: What sees it.
        radius: Of the ball [m].
        distance: Of its centre, on the optical axis [m].
    """

    folder: Path
    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    camera: Camera
    radius: float = RADIUS
    distance: float = DISTANCE

    @property
    def view(self) -> View:
        """The ball with its depth."""
        return View(self.image, self.mask, self.camera, self.depth)

    def path(self, name: str) -> str:
        """Path of one of its files."""
        return str(self.folder / name)

    def command(self, **options: str | Path) -> list[str]:
        """Arguments of `recon reconstruct` by the hull; options overrule or add."""
        paths = {
            "mask": self.path("mask.png"),
            "depth": self.path("depth.png"),
            "camera": self.path("camera.json"),
            "engine": "hull",
            "output": self.path("out"),
        } | options
        image = paths.pop("image", self.path("ball.png"))
        command = ["reconstruct", str(image)]
        for name, value in paths.items():
            if value is not None:
                command += [f"--{name.replace('_', '-')}", str(value)]
        return command


@pytest.fixture
def ball(tmp_path: Path) -> Ball:
    """A shaded ball on the optical axis over a dark background."""
    K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    camera = Camera(K, WIDTH, HEIGHT)
    rays = camera.rays(camera.pixel_grid().reshape(-1, 2)).reshape(HEIGHT, WIDTH, 3)
    along = DISTANCE * rays[..., 2]
    discriminant = along**2 - DISTANCE**2 + RADIUS**2
    mask = discriminant > 0
    near = along - np.sqrt(np.maximum(discriminant, 0))  # [m] along the ray
    depth = np.where(mask, near * rays[..., 2], np.nan).astype(np.float32)
    lit = 1 - np.nan_to_num((depth - np.nanmin(depth)) / RADIUS)
    image = np.where(mask[..., None], lit[..., None] * (230, 120, 60), 40).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "ball.png")
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    stored = np.round(1000 * np.nan_to_num(depth)).astype(np.uint16)
    Image.fromarray(stored).save(tmp_path / "depth.png")
    description = {"width": WIDTH, "height": HEIGHT, "K": K.tolist()}
    (tmp_path / "camera.json").write_text(json.dumps(description))
    return Ball(tmp_path, image, mask, depth, camera)


@dataclass(frozen=True)
class Run:
    """What one run of the command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The error lines of stderr."""
        return [line for line in self.err.splitlines() if line.startswith("recon: error:")]

    @property
    def warnings(self) -> list[str]:
        """The warning lines of stderr."""
        return [line for line in self.err.splitlines() if line.startswith("recon: warning:")]


@pytest.fixture
def recon(capsys: pytest.CaptureFixture):
    """Runs the command in this process."""

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit:  # argparse leaves this way
            code = exit.code
        streams = capsys.readouterr()
        return Run(code, streams.out, streams.err)

    return run

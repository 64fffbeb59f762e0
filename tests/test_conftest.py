# SPDX-License-Identifier: Apache-2.0
"""The suite's own machinery: markers skip where they must, and only there."""

import importlib.util
import subprocess
import sys

import pytest
import warp

MARKED_TEST = """
import pytest

@pytest.mark.{marker}
def test_marked():
    pass
"""


def _outcome_of_marked_test(marker: str, pytestconfig: pytest.Config, tmp_path) -> str:
    """The last line of pytest's output for one test that carries the marker."""
    conftest = pytestconfig.rootpath / "tests" / "conftest.py"
    (tmp_path / "conftest.py").write_text(conftest.read_text())
    (tmp_path / "test_marked.py").write_text(MARKED_TEST.format(marker=marker))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    config = ["-c", str(pytestconfig.rootpath / "pyproject.toml"), "test_marked.py"]
    run = subprocess.run(command + config, cwd=tmp_path, capture_output=True, text=True)
    return run.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("marker", "is_runnable"),
    [
        ("gpu", warp.is_cuda_available()),
        ("ros", importlib.util.find_spec("rclpy") is not None),
        ("slow", True),
    ],
)
def test_marker_skips_only_where_it_must(marker, is_runnable, pytestconfig, tmp_path):
    """Skip a marked test exactly when the machine lacks what it needs."""
    expected = "1 passed" if is_runnable else "1 skipped"
    assert expected in _outcome_of_marked_test(marker, pytestconfig, tmp_path)

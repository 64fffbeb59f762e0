# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from recon_node.engines.errors import OutputError
from recon_node.output_files import require_writable, write_files

# A limit on the size of files stops the second file half-way, as a full disk does.
WRITE_LIMITED = """
import resource, sys
from pathlib import Path
from recon_node.engines.errors import OutputError
from recon_node.output_files import write_files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_files(Path(sys.argv[1]), {"a.bin": b"new", "b.bin": bytes(2000)})
except OutputError as error:
    print(error)
"""


def tree(folder: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_all_files_are_written(tmp_path):
    """Make the directory with its parents, and leave nothing but the files."""
    write_files(tmp_path / "a" / "b", {"x.txt": b"one", "y.txt": b""})
    assert tree(tmp_path) == ["a", "a/b", "a/b/x.txt", "a/b/y.txt"]
    assert (tmp_path / "a/b/x.txt").read_bytes() == b"one"


def test_permissions_follow_the_umask(tmp_path):
    """Give the permissions of any new file, not the private ones of a temporary file."""
    previous = os.umask(0o027)
    try:
        write_files(tmp_path, {"x.txt": b"one"})
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "x.txt").stat().st_mode) == 0o640


def test_existing_file_is_replaced(tmp_path):
    """Replace what was there, in one step."""
    (tmp_path / "x.txt").write_text("old")
    write_files(tmp_path, {"x.txt": b"new"})
    assert tree(tmp_path) == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "new"


def test_full_disk_leaves_what_was_there(tmp_path):
    """Keep the old set, and no part of the new one, when space ends in the second file."""
    (tmp_path / "a.bin").write_text("old")
    run = subprocess.run(
        [sys.executable, "-c", WRITE_LIMITED, tmp_path], capture_output=True, text=True, check=True
    )
    assert f"cannot write {tmp_path}/b.bin: File too large; choose another place" in run.stdout
    assert tree(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_text() == "old"


def test_full_disk_leaves_no_directory(tmp_path):
    """Take back the directories that were made for the files."""
    subprocess.run(
        [sys.executable, "-c", WRITE_LIMITED, tmp_path / "a" / "b"], capture_output=True, check=True
    )
    assert tree(tmp_path) == []


def test_target_that_is_a_directory(tmp_path):
    """Leave the whole set as it was where the name of one file is taken by a directory."""
    (tmp_path / "x.txt").write_text("old")
    (tmp_path / "y.txt").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*y\.txt: Is a directory"):
        write_files(tmp_path, {"x.txt": b"new", "y.txt": b"new"})
    assert tree(tmp_path) == ["x.txt", "y.txt"]
    assert (tmp_path / "x.txt").read_text() == "old"


def test_interruption_leaves_nothing(tmp_path):
    """Clean up after errors that are not the file system's, and pass them on."""
    with pytest.raises(TypeError):
        write_files(tmp_path / "out", {"x.txt": b"one", "y.txt": "no bytes"})
    assert tree(tmp_path) == []


@pytest.mark.parametrize("act", [require_writable, lambda path: write_files(path, {"x": b""})])
def test_directory_below_a_file(act, tmp_path):
    """Report a directory that cannot be made."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*: Not a directory; choose another place"):
        act(tmp_path / "file" / "out")


@pytest.mark.parametrize("act", [require_writable, lambda path: write_files(path, {"x": b""})])
def test_read_only_file_system(act):
    """Report a file system that takes no files, even from root: /proc."""
    with pytest.raises(OutputError, match=r"cannot write /proc/recon_out"):
        act(Path("/proc/recon_out/object"))


def test_require_writable_leaves_nothing(tmp_path):
    """Test a directory without making it."""
    require_writable(tmp_path / "a" / "b")
    assert tree(tmp_path) == []


def test_require_writable_keeps_what_exists(tmp_path):
    """Leave an existing directory alone."""
    (tmp_path / "a").mkdir()
    require_writable(tmp_path / "a")
    assert tree(tmp_path) == ["a"]

# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all: a temporary name first, then a rename."""

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from recon_node.engines.errors import OutputError


def require_writable(directory: Path) -> None:
    """Fails early where files could not be written; leaves nothing behind.

    Raises:
        OutputError: The directory cannot be made, or nothing can be written in it.
    """
    made: list[Path] = []
    try:
        made = _make_directory(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise _output_error(directory, error) from error
    finally:
        _remove_directories(made)


def write_files(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Writes all files, or none of them.

    All are staged under temporary names in the same directory and reach the disk before the first
    is renamed, so a full disk leaves what was there before. The last one is renamed last: its
    presence says that the set is complete.

    Args:
        directory: Made where it does not exist, parents included.
        contents: File name to content.

    Raises:
        OutputError: Anything the file system refuses; names the file and the reason.
    """
    made: list[Path] = []
    staged: dict[Path, Path] = {}
    current = directory
    try:
        made = _make_directory(directory)
        for name, content in contents.items():
            current = directory / name
            if current.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            staged[_stage(current, content, staged)] = current
        for temporary, current in list(staged.items()):
            os.replace(temporary, current)
            del staged[temporary]
    except BaseException as error:
        for temporary in staged:
            temporary.unlink(missing_ok=True)
        _remove_directories(made)
        if isinstance(error, OSError):
            raise _output_error(current, error) from error
        raise


def _stage(target: Path, content: bytes, staged: dict[Path, Path]) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    staged[Path(name)] = target  # known before the first byte, so that a failure removes it
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(name, 0o666 & ~_umask())
    return Path(name)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _make_directory(directory: Path) -> list[Path]:
    """Makes a directory and its parents; returns those that were made, deepest last."""
    missing = [p for p in (directory, *directory.parents) if not p.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _remove_directories(made: list[Path]) -> None:
    for directory in reversed(made):
        try:
            directory.rmdir()
        except OSError:
            return  # no longer empty: somebody else writes there


def _output_error(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"cannot write {path}: {reason}; choose another place with -o, or free this one"
    )

# SPDX-License-Identifier: Apache-2.0
"""A folder with a GLB of each object's newest versions, for whoever takes meshes as paths."""

import shutil
import tempfile
from pathlib import Path

from recon_node.mesh_files import glb_bytes
from recon_node.output_files import require_writable, write_files
from recon_node.streams.object_store import StoredObject

VERSIONS_KEPT = 2  # a reader may still load the one before


class MeshDirectory:
    """Writes `<object_id>_v<version>.glb` and removes what is too old.

    Args:
        path: The folder, made where it is missing; empty: a temporary one, removed by `close`.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, path: str):
        self._temporary = not path
        self.path = Path(path or tempfile.mkdtemp(prefix="recon_meshes_")).expanduser().resolve()
        require_writable(self.path)
        self._written: dict[str, list[Path]] = {}

    def write(self, stored: StoredObject) -> str:
        """The file URI of the object's mesh, once the file is complete."""
        result = stored.result
        name = f"{result.object_id}_v{result.version:04d}.glb"
        write_files(self.path, {name: glb_bytes(result.mesh, name=result.object_id)})
        written = self._written.setdefault(result.object_id, [])
        written.append(self.path / name)
        for old in written[:-VERSIONS_KEPT]:
            old.unlink(missing_ok=True)
        del written[:-VERSIONS_KEPT]
        return (self.path / name).as_uri()

    def remove(self, object_id: str) -> None:
        """Removes the object's files."""
        for path in self._written.pop(object_id, []):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Removes a temporary folder; a named one keeps its files."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)

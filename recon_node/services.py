# SPDX-License-Identifier: Apache-2.0
"""The node's services. Each answers with what happened, why, and what to do."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from recon.srv import Clear, QueryConfidence, Reconstruct, SaveMesh

from recon_node.engines.confidence import query_confidence
from recon_node.engines.errors import InvalidInputError, OutputError, ReconstructionError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, transform_points
from recon_node.mesh_files import glb_bytes, ply_bytes
from recon_node.messages.object_meshes import object_mesh
from recon_node.output_files import write_files
from recon_node.streams.frame import Frame
from recon_node.streams.object_store import ObjectStore, StoredObject
from recon_node.worker import Outcome

_WRITERS: dict[str, Callable[[StoredObject], bytes]] = {
    ".ply": lambda stored: ply_bytes(stored.result.mesh),
    ".glb": lambda stored: glb_bytes(stored.result.mesh, name=stored.result.object_id),
}


class Scene(Protocol):
    """What the services need from the node."""

    def frame_of(self, request: Reconstruct.Request) -> Frame:
        """The frame of a request; raises ReconstructionError where there is none."""

    def submit(
        self, frame: Frame, labels: Sequence[int], answer: Callable[[Outcome], None]
    ) -> None:
        """Puts a request before all that waits; raises ReconstructionError where it cannot."""

    def forget(self, object_ids: Sequence[str]) -> None:
        """Forgets objects."""


class Services:
    """Reconstruct, save_mesh, clear, query_confidence.

    Args:
        node: Serves.
        scene: Does what is asked for.
        store: The objects.
        save_directory: What `save_mesh` writes below; empty refuses.
    """

    def __init__(self, node: Node, scene: Scene, store: ObjectStore, *, save_directory: str):
        self._node, self._scene, self._store = node, scene, store
        self._save_directory = save_directory
        # A request that waits for the worker must hold up nothing else.
        waiting = ReentrantCallbackGroup()
        self._services = [
            node.create_service(
                Reconstruct, "~/reconstruct", self._reconstruct, callback_group=waiting
            ),
            node.create_service(SaveMesh, "~/save_mesh", self._save_mesh),
            node.create_service(Clear, "~/clear", self._clear),
            node.create_service(
                QueryConfidence,
                "~/query_confidence",
                self._query_confidence,
                callback_group=waiting,
            ),
        ]
        # The first query of a mesh builds its search tree: 40 ms that the executor does not have.
        self._queries = ThreadPoolExecutor(1, thread_name_prefix="recon-queries")
        self._are_queried = False

    def expect_queries(self, mesh: Mesh) -> None:
        """Builds the search tree of a new mesh, where somebody asks for confidences at all.

        In the worker's thread, before the mesh is stored: no query then waits for it.
        """
        if self._are_queried:
            query_confidence(mesh, np.zeros((1, 3)))

    def close(self) -> None:
        """Stops serving."""
        for service in self._services:
            self._node.destroy_service(service)
        self._queries.shutdown(wait=False, cancel_futures=True)

    async def _reconstruct(
        self, request: Reconstruct.Request, response: Reconstruct.Response
    ) -> Reconstruct.Response:
        future = Future(executor=self._node.executor)
        try:
            frame = self._scene.frame_of(request)
            self._scene.submit(frame, request.labels, future.set_result)
        except ReconstructionError as error:
            response.message = str(error)
            return response
        outcome = await future
        response.objects = [object_mesh(stored) for stored in outcome.stored]
        response.success = not outcome.errors
        made = f"{len(outcome.stored)} of {len(outcome.job.objects)} objects reconstructed"
        response.message = "; ".join([made, *outcome.errors])
        return response

    def _save_mesh(
        self, request: SaveMesh.Request, response: SaveMesh.Response
    ) -> SaveMesh.Response:
        try:
            stored = self._store.get(request.object_id)
            path = self._path_to_save(request.path, stored)
            write_files(path.parent, {path.name: _WRITERS[path.suffix.lower()](stored)})
        except ReconstructionError as error:
            response.message = str(error)
            return response
        response.success, response.path = True, str(path)
        response.version = stored.result.version
        response.message = f"{request.object_id}, version {response.version}, is in {path}"
        return response

    def _path_to_save(self, asked: str, stored: StoredObject) -> Path:
        """Where to write, seen to lie below the save_directory."""
        if not self._save_directory:
            raise OutputError("saving is off: set the parameter save_directory to a folder")
        root = Path(self._save_directory).expanduser().resolve()
        name = asked or f"{stored.result.object_id}_v{stored.result.version}.ply"
        if "\0" in name:
            raise InvalidInputError("the path holds a zero byte; give a plain file name")
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise InvalidInputError(
                f"{name!r} leads out of {root}; give a path below it (parameter save_directory)"
            )
        if path.suffix.lower() not in _WRITERS:
            raise InvalidInputError(f"{name!r} must end in one of: {', '.join(_WRITERS)}")
        return path

    def _clear(self, request: Clear.Request, response: Clear.Response) -> Clear.Response:
        known = self._store.ids()
        asked = list(dict.fromkeys(request.object_ids)) or known
        unknown = [object_id for object_id in asked if object_id not in known]
        response.cleared = [object_id for object_id in asked if object_id in known]
        self._scene.forget(response.cleared)
        response.success = not unknown
        response.message = f"{len(response.cleared)} objects cleared"
        if unknown:
            names = ", ".join(known) or "none"
            response.message += f"; not known: {', '.join(unknown)} (known were: {names})"
        return response

    async def _query_confidence(
        self, request: QueryConfidence.Request, response: QueryConfidence.Response
    ) -> QueryConfidence.Response:
        self._are_queried = True
        try:
            stored = self._store.get(request.object_id)
            points = _object_points(request, stored)
        except ReconstructionError as error:
            response.message = str(error)
            return response
        known = await self._in_thread(lambda: query_confidence(stored.result.mesh, points))
        response.success, response.version = True, stored.result.version
        response.message = f"{len(points)} points, version {response.version}"
        response.provenance.frombytes(known.provenance.tobytes())
        response.sigma.frombytes(known.sigma.tobytes())
        response.distance.frombytes(known.distance.tobytes())
        return response

    def _in_thread(self, work: Callable[[], object]) -> Future:
        """What the work returns or raises, done in the thread for queries."""
        executor = self._node.executor
        future = Future(executor=executor)

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)
            executor.wake()

        self._queries.submit(run)
        return future


def _object_points(request: QueryConfidence.Request, stored: StoredObject) -> np.ndarray:
    """The points of a request in the object's frame, f64 (N, 3) [m]."""
    flat = np.frombuffer(request.points, np.float32).astype(np.float64)
    if len(flat) == 0 or len(flat) % 3 or not np.isfinite(flat).all():
        raise InvalidInputError(
            f"points has {len(flat)} numbers; expected x y z of each point, finite, in metres"
        )
    points, frame_id = flat.reshape(-1, 3), request.header.frame_id
    if not frame_id:
        return points
    if frame_id != stored.frame_id:
        raise InvalidInputError(
            f"the points are in {frame_id!r}, but the object is in {stored.frame_id!r}; transform "
            "them, or leave frame_id empty and give them in the object's frame"
        )
    return transform_points(invert(stored.result.T_world_object), points)

# SPDX-License-Identifier: Apache-2.0
"""The node's results on their topics: meshes, markers, points; latched, and late joiners served."""

import dataclasses
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from recon.msg import ObjectMesh
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from recon_node.mesh_directory import MeshDirectory
from recon_node.messages.clouds import surface_cloud
from recon_node.messages.markers import MarkerColors, deleted_marker, marker_array
from recon_node.messages.object_meshes import object_mesh, removed_object
from recon_node.node_config import OutputConfig
from recon_node.streams.object_store import ObjectStore, StoredObject

MARKERS_KEPT = 8  # in the latched history; each may have five megabytes
_SEED = 0  # of the points: the same mesh gives the same cloud


@dataclass(frozen=True, eq=False)
class Publication:
    """What is to be published of one version of an object.

    Attributes:
        stored: The version, with its mesh_uri.
        mesh: Its message.
        marker: Its marker as CDR, or None where nobody listens.
    """

    stored: StoredObject
    mesh: ObjectMesh
    marker: bytes | None


class Publishers:
    """Publishes results and the news that objects are gone.

    A topic carries one message for each version of an object. The latched history holds the last
    messages, whatever their objects; whoever joins late is sent what fell out of it.

    Args:
        node: Publishes.
        config: What to publish.
        store: The objects.
        max_objects: How many there may be.

    Raises:
        OutputError: The mesh_directory cannot be written.
    """

    def __init__(
        self, node: LifecycleNode, config: OutputConfig, store: ObjectStore, *, max_objects: int
    ):
        self._node, self.config, self._store = node, config, store
        self._directory = MeshDirectory(config.mesh_directory) if config.mesh_directory else None
        self._files = threading.Lock()
        self._uris: dict[str, tuple[int, str]] = {}  # object_id -> version, uri
        self._meshes = self._latched(ObjectMesh, "~/objects", depth=max_objects)
        self._markers = self._latched(MarkerArray, "~/markers", depth=MARKERS_KEPT)
        self._points = self._latched(PointCloud2, "~/points", depth=1)
        self._sent: dict[object, deque[tuple[str, int]]] = {
            self._meshes: deque(maxlen=max_objects),
            self._markers: deque(maxlen=MARKERS_KEPT),
        }
        self._listeners = {topic: 0 for topic in (*self._sent, self._points)}
        self._resend: deque[tuple[object, str]] = deque()

    def prepare(self, results: Sequence[StoredObject]) -> list[Publication | PointCloud2]:
        """The messages of new results; may be called from another thread."""
        wants_markers = self._markers.get_subscription_count() > 0
        messages: list[Publication | PointCloud2] = []
        for stored in results:
            located = self._located(stored, for_marker=wants_markers)
            marker = self._marker(located) if wants_markers else None
            messages.append(Publication(located, object_mesh(located), marker))
        if self._points.get_subscription_count() > 0:
            messages.append(self._cloud())
        return messages

    def publish(self, messages: Sequence[Publication | PointCloud2]) -> None:
        """Publishes what `prepare` made, in the executor's thread."""
        for message in messages:
            if isinstance(message, PointCloud2):
                self._points.publish(message)
                continue
            self._send(self._meshes, message.stored, message.mesh)
            if message.marker is not None:
                self._send(self._markers, message.stored, message.marker)

    def remove(self, gone: StoredObject) -> None:
        """Says that an object is gone, and deletes its marker and its files."""
        result = gone.result
        self._meshes.publish(
            removed_object(
                result.object_id, label=gone.label, stamp_ns=gone.stamp_ns, frame_id=gone.frame_id
            )
        )
        self._markers.publish(deleted_marker(gone))
        with self._files:
            self._uris.pop(result.object_id, None)
            if self._directory is not None:
                self._directory.remove(result.object_id)
        if self._points.get_subscription_count() > 0:
            self._points.publish(self._cloud())

    def serve_late_joiners(self) -> None:
        """Publishes one thing that somebody who joined late has missed; to be called often."""
        for topic, before in self._listeners.items():
            now = self._listeners[topic] = topic.get_subscription_count()
            if now > before:
                self._resend.extend((topic, object_id) for object_id in self._missed(topic))
        if not self._resend:
            return
        topic, object_id = self._resend.popleft()
        if topic is self._points:
            self._points.publish(self._cloud())
        elif object_id in self._store.ids():
            stored = self._located(self._store.get(object_id), for_marker=topic is self._markers)
            is_mesh = topic is self._meshes
            self._send(topic, stored, object_mesh(stored) if is_mesh else self._marker(stored))

    def close(self) -> None:
        """Ends publishing and removes temporary files."""
        for topic in self._listeners:
            self._node.destroy_lifecycle_publisher(topic)
        if self._directory is not None:
            self._directory.close()

    def _latched(self, kind: type, topic: str, *, depth: int) -> object:
        policies = (
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        )
        return self._node.create_lifecycle_publisher(
            kind,
            topic,
            QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL),
            qos_overriding_options=QoSOverridingOptions(policies),
        )

    def _missed(self, topic: object) -> list[str]:
        """The objects whose newest version is not in the history of a topic."""
        if topic is self._points:
            return [""] if self._store.ids() else []
        return [
            stored.result.object_id
            for stored in self._store.all()
            if (stored.result.object_id, stored.result.version) not in self._sent[topic]
        ]

    def _send(self, topic: object, stored: StoredObject, message: object) -> None:
        topic.publish(message)
        self._sent[topic].append((stored.result.object_id, stored.result.version))

    def _located(self, stored: StoredObject, *, for_marker: bool) -> StoredObject:
        """The object with the URI of its GLB, written where somebody needs it."""
        result = stored.result
        needs_file = (
            for_marker
            and self.config.mesh_resource == "file"
            and len(result.mesh.faces) > self.config.marker_triangle_limit
        )
        if not (self.config.mesh_directory or needs_file):
            return stored
        with self._files:
            if self._directory is None:
                self._directory = MeshDirectory("")
            version, uri = self._uris.get(result.object_id, (0, ""))
            if version < result.version:
                uri = self._directory.write(stored)
                self._uris[result.object_id] = result.version, uri
        return dataclasses.replace(stored, mesh_uri=uri)

    def _marker(self, stored: StoredObject) -> bytes:
        embeds = self.config.mesh_resource == "embedded"
        return marker_array(
            dataclasses.replace(stored, mesh_uri="") if embeds else stored,
            triangle_limit=self.config.marker_triangle_limit,
            colors=MarkerColors(self.config.marker_colors),
        )

    def _cloud(self) -> PointCloud2:
        """Points on all objects, in the frame and at the stamp of the newest."""
        objects = self._store.all()
        newest = max(objects, key=lambda stored: stored.stamp_ns, default=None)
        return surface_cloud(
            objects,
            points_per_object=self.config.points_per_object,
            stamp_ns=0 if newest is None else newest.stamp_ns,
            frame_id="" if newest is None else newest.frame_id,
            seed=_SEED,
        )

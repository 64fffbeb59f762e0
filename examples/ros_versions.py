# SPDX-License-Identifier: Apache-2.0
"""A client as a user would write it: points at one object, and keeps every version that arrives."""

import subprocess
import time
from collections.abc import Callable, Mapping

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from recon.msg import ObjectMesh, Status
from refine_picture import Version
from sensor_msgs.msg import Image

from recon_node.engines.mesh import Mesh
from recon_node.messages.object_meshes import mesh_of
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns

CHOSEN_MASK = "chosen_mask"  # topic: the masks with nothing but the object
_STAGES = {
    ObjectMesh.STAGE_HULL: "hull",
    ObjectMesh.STAGE_INSTANT: "instant",
    ObjectMesh.STAGE_REFINED: "refined",
}
_PATIENCE = 60.0  # until the first mesh [s]


class VersionListener(Node):
    """Prints and keeps the versions of one object, and tells recon to look at nothing else.

    Args:
        label: The object's value in the masks.
        chamfer: Distance of a mesh [m, world] to the truth.

    Attributes:
        versions: In the order in which they came, in the world's frame [m].
    """

    def __init__(self, label: int, chamfer: Callable[[Mesh], float]) -> None:
        super().__init__("listener")
        self.versions: list[Version] = []
        self._label, self._chamfer = label, chamfer
        self._first_ns = 0
        self._told = ""
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(ObjectMesh, "recon/objects", self._on_mesh, latched)
        self.create_subscription(Status, "recon/status", self._on_status, latched)
        self.create_subscription(Image, "mask", self._on_mask, 5)
        self._mask = self.create_publisher(Image, CHOSEN_MASK, 5)
        print(f"{'version':>7}  {'stage':<8}{'views':>5}{'time':>9}{'Chamfer':>11}", flush=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the image that the first mesh was made from; 0 before it came."""
        return (time.time_ns() - self._first_ns) * 1e-9 if self._first_ns else 0.0

    def _on_mask(self, message: Image) -> None:
        labels = np.frombuffer(message.data, np.uint8)  # the message's own memory
        labels[labels != self._label] = 0
        self._mask.publish(message)

    def _on_mesh(self, message: ObjectMesh) -> None:
        if message.operation != ObjectMesh.ADD:
            return
        self._first_ns = self._first_ns or stamp_ns(message.header)
        seconds = self.elapsed
        mesh = mesh_of(message).transformed(transform_of(message.pose))
        version = Version(
            number=message.version,
            stage=_STAGES[message.stage],
            view_count=message.view_count,
            seconds=seconds,
            chamfer=self._chamfer(mesh),
            mesh=mesh,
        )
        self.versions.append(version)
        print(
            f"{version.number:7}  {version.stage:<8}{version.view_count:5}"
            f"{version.seconds:7.1f} s{1000 * version.chamfer:8.2f} mm",
            flush=True,
        )

    def _on_status(self, message: Status) -> None:
        """Says how far the refinement is, every tenth of its budget."""
        if not message.refining:
            return
        tenth = int(10 * message.refine_progress)
        told = f"{tenth}0 % of its time, step {message.refine_step}"
        if tenth % 2 == 0 and told.split()[0] != self._told:
            self._told = told.split()[0]
            psnr = f", {message.refine_psnr:.1f} dB on held-out pixels"
            print(f"{'':9}refining: {told}{psnr if message.refine_step else ''}", flush=True)


def hear_versions(
    label: int,
    chamfer: Callable[[Mesh], float],
    *,
    seconds: float,
    processes: Mapping[str, subprocess.Popen],
) -> list[Version]:
    """The versions of an object that came within a time.

    Args:
        label: The object's value in the masks.
        chamfer: Distance of a mesh [m, world] to the truth.
        seconds: How long to listen, after the first one [s].
        processes: The camera's and the node's; when one ends, so does this.
    """
    rclpy.init(args=[])
    listener = VersionListener(label, chamfer)
    try:
        latest = time.monotonic() + _PATIENCE
        while listener.elapsed < seconds:
            if not listener.versions and time.monotonic() > latest:
                break
            if any(process.poll() is not None for process in processes.values()):
                break
            rclpy.spin_once(listener, timeout_sec=0.2)
    finally:
        listener.destroy_node()
        rclpy.try_shutdown()
    return listener.versions

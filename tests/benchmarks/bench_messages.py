# SPDX-License-Identifier: Apache-2.0
"""What a mesh costs as each kind of message: made, written, published, and received elsewhere.

Prints a table and writes docs/benchmarks/messages.json. Needs rclpy; another process listens over
DDS, once as Python code does (objects) and once as C++ code would (the bytes alone). Making and
writing are measured in processor time, the way to the listener by the clock. Without arguments
everything is measured, on the cores that this process may use.
"""

import dataclasses
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module

import numpy as np
from run_record import ROOT, run_record

GRIDS = ((25, 40), (50, 100), (100, 200))  # vertices of a torus; twice as many triangles
LARGEST_REPEATS, PATIENCE = 15, 2.0  # of each figure: runs, or seconds if they are over first
ALL = 1_000_000  # triangles: never a mesh resource
WAIT = 30.0  # for a message [s]
TYPES = {
    "ObjectMesh": "recon.msg.ObjectMesh",
    "PointCloud2": "sensor_msgs.msg.PointCloud2",
    "shape_msgs/Mesh": "shape_msgs.msg.Mesh",
    "triangles, objects": "visualization_msgs.msg.MarkerArray",
    "triangles, bytes": "visualization_msgs.msg.MarkerArray",
    "mesh resource, file": "visualization_msgs.msg.MarkerArray",
    "mesh resource, embedded": "visualization_msgs.msg.MarkerArray",
}


def torus(rings: int, sides: int) -> object:
    """A stored object of rings * sides vertices and twice as many triangles."""
    from recon_node.engines.mesh import Mesh
    from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
    from recon_node.streams.object_store import StoredObject

    i, j = (k.ravel() for k in np.mgrid[:rings, :sides])
    u, v = 2 * np.pi * i / rings, 2 * np.pi * j / sides
    radius = 0.1 + 0.03 * np.cos(v)
    vertices = np.stack([radius * np.cos(u), radius * np.sin(u), 0.03 * np.sin(v)], axis=1)
    a, b = i * sides + j, (i + 1) % rings * sides + j
    c, d = (i + 1) % rings * sides + (j + 1) % sides, i * sides + (j + 1) % sides
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    count = len(vertices)
    mesh = Mesh(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        np.random.default_rng(0).integers(0, 256, (count, 3), np.uint8),
        np.ones(count, np.uint8),
        np.full(count, 0.001, np.float32),
    )
    result = Reconstruction(
        "object_001", 1, None, Stage.INSTANT, mesh, np.eye(4), ScaleSource.DEPTH, 0.01, "none", 1
    )
    return StoredObject(result, 1, "map", 1)


def builders(stored: object) -> dict[str, Callable[[], object]]:
    """What makes each kind of message from the object."""
    from visualization_msgs.msg import MarkerArray

    from recon_node.mesh_files import glb_bytes
    from recon_node.messages.clouds import surface_cloud
    from recon_node.messages.markers import marker_array, object_marker
    from recon_node.messages.object_meshes import object_mesh
    from recon_node.messages.shape_meshes import shape_mesh

    mesh = stored.result.mesh
    named = dataclasses.replace(stored, mesh_uri="file:///tmp/object_001_v0001.glb")
    count = len(mesh.vertices)

    def resource() -> bytes:
        glb_bytes(mesh, name="object_001")  # what has to be written to the file
        return marker_array(named, triangle_limit=0)

    return {
        "ObjectMesh": lambda: object_mesh(stored),
        "PointCloud2": lambda: surface_cloud(
            [stored], points_per_object=count, stamp_ns=1, frame_id="map", seed=0
        ),
        "shape_msgs/Mesh": lambda: shape_mesh(mesh),
        "triangles, objects": lambda: MarkerArray(
            markers=[object_marker(stored, triangle_limit=ALL)]
        ),
        "triangles, bytes": lambda: marker_array(stored, triangle_limit=ALL),
        "mesh resource, file": resource,
        "mesh resource, embedded": lambda: marker_array(stored, triangle_limit=0),
    }


def quality() -> object:
    """As the node's results: reliable and latched."""
    from rclpy.qos import DurabilityPolicy, QoSProfile

    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def message_class(kind: str) -> type:
    """The class of a kind of message."""
    module, _, name = TYPES[kind].rpartition(".")
    return getattr(import_module(module), name)


def listen(kind: str, form: str) -> None:
    """Prints the time of each arrival [ns], for ever; form is "objects" or "raw"."""
    import rclpy

    rclpy.init()
    node = rclpy.create_node("listener")
    node.create_subscription(
        message_class(kind),
        "bench",
        lambda _: os.write(1, b"%d\n" % time.monotonic_ns()),
        quality(),
        raw=form == "raw",
    )
    rclpy.spin(node)


def median_ms(work: Callable[[], float]) -> float:
    """Median of what work returns [s], in milliseconds, after a first run that does not count."""
    work()
    end, figures = time.monotonic() + PATIENCE, []
    while len(figures) < LARGEST_REPEATS and (len(figures) < 3 or time.monotonic() < end):
        figures.append(work())
    return 1000 * float(np.median(figures))


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """The work, to return what it took of the processor [s], whoever else uses it."""

    def run() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return run


def measure(node: object, kind: str) -> list[dict]:
    """Figures of a kind of message, one row for each size [ms]."""
    from rclpy.serialization import serialize_message

    rows, messages = [], []
    for grid in GRIDS:
        stored = torus(*grid)
        build = builders(stored)[kind]
        message = build()
        is_bytes = isinstance(message, bytes)
        row = {"message": kind, "triangles": len(stored.result.mesh.faces)}
        row["bytes"] = len(message if is_bytes else serialize_message(message))
        row["build_ms"] = median_ms(timed(build))
        row["serialize_ms"] = (
            0.0 if is_bytes else median_ms(timed(lambda m=message: serialize_message(m)))
        )
        rows.append(row)
        messages.append(message)
    for form in ("objects", "raw"):
        for row, figures in zip(rows, sent(node, kind, form, messages), strict=True):
            row |= figures
    return rows


def sent(node: object, kind: str, form: str, messages: list) -> list[dict]:
    """What publishing each message and receiving it in the given form takes [ms]."""
    publisher = node.create_publisher(message_class(kind), "bench", quality())
    command = [sys.executable, __file__, "listen", kind, form]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE)
    rows = []
    try:
        while publisher.get_subscription_count() == 0:
            time.sleep(0.02)
        for message in messages:
            published = []
            received = median_ms(partial(deliver, publisher, message, listener, published))
            figures = {"publish": 1000 * float(np.median(published[1:])), "received": received}
            rows.append({f"{name}_{form}_ms": value for name, value in figures.items()})
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()
        node.destroy_publisher(publisher)
    return rows


def deliver(
    publisher: object, message: object, listener: subprocess.Popen, published: list[float]
) -> float:
    """Seconds from before `publish` to the other process's callback; `published` gets its own."""
    start = time.monotonic_ns()
    publisher.publish(message)
    published.append((time.monotonic_ns() - start) / 1e9)
    if not select.select([listener.stdout], [], [], WAIT)[0]:
        raise TimeoutError(f"nothing was received within {WAIT} s")
    return (int(listener.stdout.readline()) - start) / 1e9


def main() -> None:
    """Measures everything, prints a table and writes the JSON file."""
    import rclpy

    rclpy.init()
    node = rclpy.create_node("bench")
    report = {
        **run_record(),
        "middleware": rclpy.get_rmw_implementation_identifier(),
        "messages": [row for kind in TYPES for row in measure(node, kind)],
    }
    node.destroy_node()
    rclpy.shutdown()
    target = ROOT / "docs" / "benchmarks" / "messages.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {target.relative_to(ROOT)}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{report['hardware']}, {report['cores']} cores, {report['middleware']}; ms"
    )
    figures = ("build", "serialize", "publish_raw", "received_objects", "received_raw")
    for heading in ("message", "triangles", "MB", *figures):
        table.add_column(heading, justify="left" if heading == "message" else "right")
    for row in report["messages"]:
        times = (f"{row[f'{name}_ms']:.2f}" for name in figures)
        table.add_row(row["message"], str(row["triangles"]), f"{row['bytes'] / 1e6:.2f}", *times)
    Console(width=140).print(table)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        listen(*sys.argv[2:])

# SPDX-License-Identifier: Apache-2.0
"""The node under a camera's load: latency, drops, memory, processor, and how fast services answer.

    python tests/benchmarks/bench_node.py [--seconds 300] [--rate 30] [--size 1280x720]

Three processes over DDS: a camera (image, mask, depth of moving objects, best effort), the node,
and this one, which listens and calls services all the while. Prints a table and writes
docs/benchmarks/node.json. Needs rclpy. Latency is from the stamp, set just before the camera
publishes, to the callback here; so it holds what the three processes wait for each other where
they share cores.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from run_record import ROOT, run_record

PROFILE = ROOT / "config" / "fastdds_large_messages.xml"
PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
PERIOD = 30  # frames made beforehand, sent in a circle
OBJECTS = 4
CALL_PERIOD = 0.1  # between two calls of services [s]
PATIENCE = 120.0  # for the engine, and until a static scene was seen [s]
FIRST = 15.0  # for the first mesh, which may never come [s]
SETTLING = 2.0  # after which a static scene is at rest [s]
SHORT = "20"  # the runs beside the long one [s]
POINTS = 100  # of a query
SHOWN = 13  # samples of memory in the JSON file, evenly spaced
KILO = 1024
TICK = os.sysconf("SC_CLK_TCK")


def frames(width: int, height: int) -> Iterator[dict[str, np.ndarray]]:
    """Image, mask and depth [mm] of balls that swing in front of a wall, one period."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    texture = rng.integers(60, 200, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    wall = texture.repeat(8, axis=0).repeat(8, axis=1)[:height, :width] // 2
    radius = 0.09 * width
    for index in range(PERIOD):
        angle = 2 * np.pi * index / PERIOD
        image, mask = wall.copy(), np.zeros((height, width), np.uint8)
        depth = np.full((height, width), 900, np.uint16)
        for label in range(1, OBJECTS + 1):
            x = (label - 0.5) * width / OBJECTS + 0.02 * width * np.cos(angle + label)
            y = height / 2 + 0.15 * height * np.sin(angle + label)
            bulge = 1 - ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
            inside = bulge > 0
            bulge = np.sqrt(bulge[inside])
            color = np.float32([60 * label, 255 - 50 * label, 120])
            image[inside] = (0.3 + 0.7 * bulge)[:, None] * color
            mask[inside], depth[inside] = label, 600 - 90 * bulge
        noise = rng.integers(-3, 4, image.shape, np.int16)
        yield {
            "image": np.clip(image + noise, 0, 255).astype(np.uint8),
            "mask": mask,
            "depth": depth,
        }


def messages(width: int, height: int) -> list[dict[str, object]]:
    """The frames as messages, by topic."""
    from sensor_msgs.msg import CameraInfo, Image

    encodings = {"image": "rgb8", "mask": "mono8", "depth": "16UC1"}
    info = CameraInfo(width=width, height=height)
    info.k = [0.7 * width, 0.0, width / 2, 0.0, 0.7 * width, height / 2, 0.0, 0.0, 1.0]
    info.header.frame_id = "camera"
    made = []
    for frame in frames(width, height):
        made.append({"camera_info": info})
        for topic, pixels in frame.items():
            message = Image(height=height, width=width, encoding=encodings[topic])
            message.header.frame_id = "camera"
            message.step = pixels.strides[0]
            message.data.frombytes(pixels.tobytes())
            made[-1][topic] = message
    return made


def camera(rate: str, size: str, moves: str) -> None:
    """Publishes until SIGINT, then prints what was sent; a moment that is missed is left out."""
    import rclpy
    from rclpy.qos import qos_profile_sensor_data

    from recon_node.messages.stamps import set_stamp

    made = messages(*map(int, size.split("x")))
    rclpy.init(signal_handler_options=rclpy.SignalHandlerOptions.NO)
    node = rclpy.create_node("camera")
    publishers = {
        topic: node.create_publisher(type(message), topic, qos_profile_sensor_data)
        for topic, message in made[0].items()
    }
    while not all(publisher.get_subscription_count() for publisher in publishers.values()):
        time.sleep(0.02)
    period, sent, left_out, began = 1 / float(rate), 0, 0, time.monotonic()
    due, cpu = began, time.process_time()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            stamp = time.time_ns()
            for topic, message in made[sent % PERIOD if moves == "moves" else 0].items():
                set_stamp(message.header.stamp, stamp)
                publishers[topic].publish(message)
            sent += 1
            due += period
            missed = int(max(0.0, time.monotonic() - due) / period)
            left_out, due = left_out + missed, due + missed * period
    seconds = time.monotonic() - began
    figures = {"sent": sent, "left_out": left_out, "rate": sent / seconds}
    print(json.dumps(figures | {"cpu_percent": 100 * (time.process_time() - cpu) / seconds}))


class Process:
    """Memory and processor time of another process, sampled.

    Shared memory, the images' way through DDS, counts apart: it is the transport's, and of a fixed
    size.
    """

    def __init__(self, pid: int):
        self._folder = Path("/proc") / str(pid)
        self.samples: list[tuple[float, ...]] = []  # when, own and shared MB, processor time [s]

    def sample(self) -> None:
        """Adds a sample."""
        lines = (self._folder / "status").read_text().splitlines()
        sizes = {li.split(":")[0]: int(li.split()[1]) for li in lines if li.startswith("Rss")}
        shared = sizes.pop("RssShmem")
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        cpu = sum(map(int, fields[11:13])) / TICK
        memory = (sum(sizes.values()) * KILO / 1e6, shared * KILO / 1e6)
        self.samples.append((time.monotonic(), *memory, cpu))

    def figures(self) -> dict[str, object]:
        """Memory over the time, its slope in the last two thirds, and the processor's share."""
        when, memory, shared, cpu = np.array(self.samples).T
        third = len(when) // 3
        slope = np.polyfit(when[third:] - when[third], memory[third:], 1)[0]
        some = np.unique(np.linspace(0, len(when) - 1, SHOWN).round().astype(int))
        return {
            "memory_mb": memory[some].round().tolist(),
            "memory_slope_mb_per_min": 60 * slope,
            "shared_memory_mb": shared[-1],
            "cpu_percent": 100 * (cpu[-1] - cpu[0]) / (when[-1] - when[0]),
        }


class Listener:
    """What a robot hears from the node, and how long it waits for answers."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rcl_interfaces.srv import GetParameters, SetParameters
        from rclpy.parameter import Parameter
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from recon.msg import ObjectMesh, Status
        from recon.srv import QueryConfidence

        rclpy.init()
        self._rclpy, self.node = rclpy, rclpy.create_node("listener")
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(ObjectMesh, "recon/objects", self._on_mesh, latched)
        self.node.create_subscription(Status, "recon/status", self._on_status, latched)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.node.create_timer(CALL_PERIOD, self._call)
        interval = Parameter("min_interval", value=0.2).to_parameter_msg()
        points = np.random.default_rng(0).uniform(-0.2, 0.2, 3 * POINTS).astype(np.float32)
        self._requests = {
            "get_parameters": GetParameters.Request(names=["engine", "min_interval"]),
            "set_parameters": SetParameters.Request(parameters=[interval]),
            "query_confidence": QueryConfidence.Request(points=points.tolist()),
        }
        kinds = (GetParameters, SetParameters, QueryConfidence)
        self._clients = {
            name: self.node.create_client(kind, f"recon/{name}")
            for name, kind in zip(self._requests, kinds, strict=True)
        }
        self._pending: object | None = None
        self._turn = 0
        self.status: Status | None = None
        self.diagnostics: dict[str, str] = {}
        self.forget()

    def forget(self) -> None:
        """Starts the figures anew."""
        self.latency: list[float] = []
        self.triangles: list[int] = []
        self.answers: dict[str, list[float]] = {name: [] for name in self._requests}

    def spin(self, until: Callable[[], object], seconds: float) -> bool:
        """Whether the condition was met in time."""
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            self._rclpy.spin_once(self.node, timeout_sec=0.05)
        return bool(until())

    def _on_mesh(self, message: object) -> None:
        if message.stage == message.STAGE_REFINED:  # of an image from long ago
            return
        stamp = message.header.stamp
        self.latency.append(time.time() - stamp.sec - stamp.nanosec * 1e-9)
        self.triangles.append(message.triangle_count)
        self._requests["query_confidence"].object_id = message.object_id

    def _on_status(self, message: object) -> None:
        self.status = message

    def _on_diagnostics(self, message: object) -> None:
        self.diagnostics = {value.key: value.value for value in message.status[0].values}

    def _call(self) -> None:
        if self._pending is not None and not self._pending.done():
            return
        name = list(self._requests)[self._turn % len(self._requests)]
        self._turn += 1
        if self._clients[name].service_is_ready():
            began = time.monotonic()
            self._pending = self._clients[name].call_async(self._requests[name])
            self._pending.add_done_callback(
                lambda _: self.answers[name].append(time.monotonic() - began)
            )


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen]:
    """A process of this Python while the context lasts; it ends by SIGINT."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def phase(seconds: str, rate: str, size: str, moves: str) -> dict:
    """Figures of the node under one kind of load."""
    listener = Listener()
    node_command = ["-P", "-m", "recon_node.node_main", "--ros-args", "-p", "engine:=compact"]
    with running(*node_command) as node:
        ready = listener.spin(lambda: listener.status and listener.status.engine_ready, PATIENCE)
        if not ready:
            raise SystemExit("the engine was not ready in time")
        with running(__file__, "camera", rate, size, moves) as source:
            listener.spin(lambda: listener.latency, FIRST)
            if moves == "static":
                listener.spin(lambda: listener.status.results >= OBJECTS, PATIENCE)
                listener.spin(lambda: False, SETTLING)
            before = _counts(listener.status)
            listener.forget()
            process, end = Process(node.pid), time.monotonic() + float(seconds)
            while (left := end - time.monotonic()) > 0:
                process.sample()
                listener.spin(lambda: False, min(1.0, left))
            process.sample()
            counts = _counts(listener.status)
            source.send_signal(signal.SIGINT)
            sent = json.loads(source.stdout.readline())
            source.wait()
        asked = time.monotonic()
        node.send_signal(signal.SIGINT)
        exit_code = node.wait(PATIENCE)
        ended = time.monotonic() - asked
    changed = {name: value - before.get(name, 0) for name, value in counts.items()}
    return {
        "camera": sent,
        "node": process.figures(),
        "counts": {name: value for name, value in changed.items() if value},
        "latency_ms": _percentiles(listener.latency),
        "stages_ms": {k: v for k, v in listener.diagnostics.items() if k.endswith("[ms]")},
        "services_ms": {name: _percentiles(v) for name, v in listener.answers.items()},
        "end": {"exit_code": exit_code, "seconds": ended},
        "triangles_median": float(np.median(listener.triangles)) if listener.triangles else 0.0,
    }


def _counts(status: object) -> dict[str, int]:
    """What the node has counted, by name."""
    counts = {name: getattr(status, name) for name in ("images", "frames", "results")}
    return counts | dict(zip(status.drop_reasons, status.drop_counts, strict=True))


def _percentiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0}
    values = 1000 * np.percentile(seconds, (50, 90, 99, 100))
    named = zip(("p50", "p90", "p99", "max"), values.tolist(), strict=True)
    return {"count": len(seconds), **dict(named)}


def in_own_process(*arguments: str, **environment: str) -> dict:
    """What this script measures for the arguments; an error is a figure too."""
    rest = {name: value for name, value in os.environ.items() if name != PROFILE_VARIABLE}
    run = subprocess.run(
        [sys.executable, __file__, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**rest, **environment},
    )
    if run.returncode:
        return {"arguments": arguments, "error": f"exit code {run.returncode}"}
    return json.loads(run.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures everything, prints a table and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", default="300", help="of the long run (default: %(default)s)")
    parser.add_argument("--rate", default="30", help="of the camera [Hz] (default: %(default)s)")
    parser.add_argument("--size", default="1280x720", help="of the images (default: %(default)s)")
    parser.add_argument("--note", default="", help="goes into the JSON file")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "benchmarks" / "node.json", help="%(default)s"
    )
    args = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(60 + os.getpid() % 40))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    shared = {PROFILE_VARIABLE: str(PROFILE)}
    load = (args.rate, args.size)
    report = {
        **run_record(),
        "note": args.note,
        "seconds": float(args.seconds),
        "asked_rate": float(args.rate),
        "size": args.size,
        "moving": in_own_process("phase", args.seconds, *load, "moves", **shared),
        "static": in_own_process("phase", SHORT, *load, "static", **shared),
        "default_transport": in_own_process("phase", SHORT, *load, "moves"),
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {args.out}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    runs = {name: report[name] for name in ("moving", "static", "default_transport")}
    table = Table(title=f"{report['hardware']}, {report['cores']} cores, {report['size']}")
    table.add_column("")
    rows: dict[str, dict[str, str]] = {}
    for name, run in runs.items():
        table.add_column(name, justify="right")
        for part, figures in run.items():
            cells = figures if isinstance(figures, dict) else {"": figures}
            for figure, value in cells.items():
                if isinstance(value, dict):
                    value = " / ".join(f"{v:.0f}" for v in value.values())
                shown = f"{value:.1f}" if isinstance(value, float) else str(value)
                rows.setdefault(f"{part} {figure}", {})[name] = shown
    for heading, cells in rows.items():
        table.add_row(heading, *(cells.get(name, "") for name in runs))
    console = Console(width=150)
    console.print(table)
    console.print("services: number of answers, then p50 / p90 / p99 / max")


if __name__ == "__main__":
    if sys.argv[1:2] == ["camera"]:
        camera(*sys.argv[2:])
    elif sys.argv[1:2] == ["phase"]:
        print(json.dumps(phase(*sys.argv[2:])))
    else:
        main()

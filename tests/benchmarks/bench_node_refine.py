# SPDX-License-Identifier: Apache-2.0
"""What the instant path loses while an object is refined beside it.

    python tests/benchmarks/bench_node_refine.py [--rounds 4] [--seconds 30] [--size 640x480]

The camera, the node and the listener of bench_node.py, and one object more, which rests: it is
refined in every second span of time, again and again, while the others swing and are reconstructed.
The spans take turns, so that what else the machine does falls on both. Prints a table and writes
docs/benchmarks/node_refine.json. Needs rclpy and torch.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bench_node
import numpy as np
from bench_node import PATIENCE, PROFILE, PROFILE_VARIABLE, Listener, running
from run_record import ROOT, run_record

RESTING = 5  # label of the object that is refined
SETTLING = 3.0  # [s] of every span that are left out
LOADING = 600.0  # [s] for torch, on a machine that has hardly time for it


def frames(width: int, height: int) -> Iterator[dict[str, np.ndarray]]:
    """The frames of bench_node.py with a ball that rests in front of the others, below them."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    radius = 0.07 * width
    bulge = 1 - ((columns - width / 2) ** 2 + (rows - height + 1.3 * radius) ** 2) / radius**2
    inside = bulge > 0
    root = np.sqrt(bulge[inside])
    stripes = 128 + 60 * np.sin(columns[inside] / 4) + 40 * root
    for frame in _frames(width, height):
        frame["image"][inside] = np.clip(stripes, 0, 255)[:, None]
        frame["mask"][inside], frame["depth"][inside] = RESTING, 450 - 60 * root
        yield frame


_frames, bench_node.frames = bench_node.frames, frames


class Refining:
    """Goals for the resting object, one after the other.

    Args:
        listener: Whose node sends them.
    """

    def __init__(self, listener: Listener):
        from rclpy.action import ActionClient
        from recon.action import Refine

        self._listener, self._goal = listener, Refine.Goal(object_id=f"object_{RESTING:03d}")
        self._client = ActionClient(listener.node, Refine, "recon/refine")
        self._handle: object | None = None
        self._is_wanted = False
        self.steps: list[int] = []

    def start(self) -> None:
        """Returns when steps are made."""
        self._is_wanted = True
        self._client.wait_for_server(PATIENCE)
        self._send()
        before = len(self.steps)
        if not self._listener.spin(lambda: len(self.steps) > before, LOADING):
            raise SystemExit("nothing is refined")

    def stop(self) -> None:
        """Returns when none are made any more."""
        self._is_wanted = False
        self._handle.cancel_goal_async()
        self._listener.spin(lambda: self._listener.status.refining == "", PATIENCE)

    def _send(self) -> None:
        sent = self._client.send_goal_async(
            self._goal, feedback_callback=lambda m: self.steps.append(m.feedback.step)
        )
        sent.add_done_callback(self._on_sent)

    def _on_sent(self, sent: object) -> None:
        self._handle = sent.result()
        self._handle.get_result_async().add_done_callback(
            lambda _: self._send() if self._is_wanted else None
        )


def measure(rounds: int, seconds: float, size: str, rate: str) -> dict:
    """Latencies of both kinds of spans, and what the processes took."""
    listener = Listener()
    node = ["-P", "-m", "recon_node.node_main", "--ros-args", "-p", "engine:=compact"]
    parameters = ("refine.budget:=600.0", "refine.checkpoint_directory:=''")
    node += [word for parameter in parameters for word in ("-p", parameter)]
    spans: dict[str, list[dict]] = {"alone": [], "beside refining": []}
    with running(*node) as process:
        if not listener.spin(lambda: listener.status and listener.status.engine_ready, PATIENCE):
            raise SystemExit("the engine was not ready in time")
        with running(__file__, "camera", rate, size):
            resting = f"object_{RESTING:03d}"
            seen = lambda: listener.status.results >= 2 * RESTING  # noqa: E731
            if not listener.spin(seen, PATIENCE):
                raise SystemExit(f"{resting} was not seen")
            refining = Refining(listener)
            for _ in range(rounds):
                spans["alone"].append(_span(listener, process.pid, seconds))
                refining.start()
                spans["beside refining"].append(_span(listener, process.pid, seconds))
                refining.stop()
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    return {name: _told(each) for name, each in spans.items()}


def _span(listener: Listener, pid: int, seconds: float) -> dict:
    listener.spin(lambda: False, SETTLING)
    listener.forget()
    children = _children(pid)
    cpu, began = {one: _cpu(one) for one in (pid, *children)}, time.monotonic()
    listener.spin(lambda: False, seconds)
    spent = time.monotonic() - began
    shares = {one: 100 * (_cpu(one) - before) / spent for one, before in cpu.items()}
    return {
        "latency": list(listener.latency),
        "node_cpu_percent": shares[pid],
        "refiner_cpu_percent": sum(shares[one] for one in children),
    }


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _cpu(pid: int) -> float:
    """Processor time of a process [s]; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:13])) / bench_node.TICK


def _told(spans: list[dict]) -> dict:
    latency = [value for span in spans for value in span["latency"]]
    figures = {"latency_ms": bench_node._percentiles(latency)}
    for name in ("node_cpu_percent", "refiner_cpu_percent"):
        figures[name] = float(np.mean([span[name] for span in spans]))
    figures["p99_of_spans_ms"] = [
        1000 * float(np.percentile(span["latency"], 99)) for span in spans if span["latency"]
    ]
    return figures


def main() -> None:
    """Measures, prints a table and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a span (%(default)s)")
    parser.add_argument("--rate", default="10", help="of the camera [Hz] (default: %(default)s)")
    parser.add_argument("--size", default="640x480", help="of the images (default: %(default)s)")
    parser.add_argument("--note", default="", help="goes into the JSON file")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "docs" / "benchmarks" / "node_refine.json",
        help="%(default)s",
    )
    args = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(60 + os.getpid() % 40))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ[PROFILE_VARIABLE] = str(PROFILE)
    report = {
        **run_record(),
        "note": args.note,
        "load_average": os.getloadavg(),
        "size": args.size,
        "rate": float(args.rate),
        "seconds": args.rounds * args.seconds,
        **measure(args.rounds, args.seconds, args.size, args.rate),
    }
    for name in ("p50", "p99"):
        alone, beside = (report[span]["latency_ms"][name] for span in ("alone", "beside refining"))
        report[f"{name}_ratio"] = beside / alone
        print(
            f"{name}: {alone:.0f} ms alone, {beside:.0f} ms beside refining, {beside / alone:.3f}"
        )
    for span in ("alone", "beside refining"):
        print(span, {k: v for k, v in report[span].items() if k.endswith("percent")})
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {args.out}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["camera"]:
        bench_node.camera(*sys.argv[2:], "moves")
    else:
        main()

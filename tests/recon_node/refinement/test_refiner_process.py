# SPDX-License-Identifier: Apache-2.0
"""The process that refines, from the node's end: orders, cancellation, and every way it can end."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recon_node.refinement.orders import Pace
from recon_node.refinement.process import NICENESS
from recon_node.refinement.refiner_process import RefinerDiedError, RefinerProcess

PATIENCE = 60.0  # [s]
STAND_IN = Path(__file__).with_name("stand_in.py")


class Listener:
    """What was told of an order, and what the node wants."""

    def __init__(self):
        self.reports, self.versions = [], []
        self.is_cancelled, self.pace = False, Pace.GO

    def run(self, process, order):
        """How the order ended."""
        return process.run(
            order,
            on_report=self.reports.append,
            on_version=self.versions.append,
            cancelled=lambda: self.is_cancelled,
            pace=lambda: self.pace,
        )


@pytest.fixture
def listener():
    return Listener()


def is_alive(pid: int) -> bool:
    """Whether a process runs: not ended, not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Returns when the process has ended."""
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} is an orphan"
        time.sleep(0.01)


def test_order_runs_to_its_end(process, listener, make_order):
    """Hear of the first step, of every version, and of the end; keep the process for the next."""
    ended = listener.run(process, make_order(1))
    assert (ended.steps, ended.message, ended.is_error) == (20, "1 views", False)
    assert [version.object_id for version in listener.versions] == ["ball", "ball"]
    assert listener.reports[0].step == 1
    assert dict(listener.reports[0].losses) == {"photometric": 1.0}
    times = [report.elapsed_s for report in listener.reports]
    assert all(b - a > 0.19 for a, b in zip(times, times[1:], strict=False)), "above 5 Hz"
    pid = process.pid
    assert listener.run(process, make_order(2)).steps == 20
    assert process.pid == pid


def test_process_gives_way_to_all_others(process, listener, make_order):
    """Be nice to the scheduler, and the first to go where memory is short."""
    listener.run(process, make_order())
    niceness = os.getpriority(os.PRIO_PROCESS, process.pid)
    assert niceness == min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
    assert os.getsid(process.pid) == os.getsid(0), "nice counts within a session only"
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000"


def test_cancel_ends_within_a_step_and_keeps_the_checkpoint(process, listener, make_order):
    order = make_order(steps=10**6)
    listener.reports = CancelAtFirst(listener)
    ended = listener.run(process, order)
    assert ended.message == "cancelled" and 1 <= ended.steps < 1000
    assert order.checkpoint.read_text() == str(ended.steps)
    listener.is_cancelled = False
    listener.reports = []
    assert listener.run(process, make_order(2)).steps == 20  # the next one is not cancelled


class CancelAtFirst(list):
    """Reports; with the first one nobody wants more."""

    def __init__(self, listener):
        self._listener = listener

    def append(self, report):
        """Keeps the report."""
        super().append(report)
        self._listener.is_cancelled = True


def test_paused_process_makes_no_step(process, listener, make_order):
    """Pause from the start; nothing is told until it goes on."""
    listener.pace = Pace.PAUSE
    asked = []

    def cancelled():
        asked.append(len(listener.reports))
        listener.pace = Pace.PAUSE if len(asked) < 10 else Pace.GO
        return False

    ended = process.run(
        make_order(),
        on_report=listener.reports.append,
        on_version=listener.versions.append,
        cancelled=cancelled,
        pace=lambda: listener.pace,
    )
    assert ended.steps == 20
    assert asked[9] <= 1, "a step or two may come before the pause, not ten"


@pytest.mark.parametrize(
    "object_id, complaint",
    [
        ("refused", "the keyframes show nothing"),
        ("bug", "internal error: RuntimeError: a bug"),
        ("large", "internal error: MemoryError: no room for the table"),
    ],
)
def test_errors_come_back_as_messages(process, listener, make_order, object_id, complaint):
    """Say what went wrong, and refine the next object."""
    ended = listener.run(process, make_order(object_id=object_id))
    assert ended.is_error and complaint in ended.message and not listener.versions
    assert listener.run(process, make_order(2)).steps == 20


def test_folder_that_cannot_be_made_is_named(process, listener, make_order, tmp_path):
    """Say which parameter to change."""
    (tmp_path / "checkpoints").touch()
    ended = listener.run(process, make_order())
    assert ended.is_error and "set the parameter refine.checkpoint_directory" in ended.message


def test_death_is_told_and_another_one_starts(process, listener, make_order):
    """Name the signal, as when the kernel was short of memory, and go on with a new process."""
    with pytest.raises(RefinerDiedError, match="SIGKILL .*out of memory.*starts another one"):
        listener.run(process, make_order(object_id="killed"))
    assert listener.run(process, make_order(2)).steps == 20


def test_death_between_orders_costs_nothing(process, listener, make_order):
    listener.run(process, make_order(1))
    os.kill(process.pid, signal.SIGKILL)
    wait_until_gone(process.pid)
    assert listener.run(process, make_order(2)).steps == 20


def test_missing_torch_names_the_extra(listener, make_order):
    process = RefinerProcess((sys.executable, "-P", str(STAND_IN), "--no-torch"))
    ended = listener.run(process, make_order())
    process.close(timeout=PATIENCE)
    assert ended.is_error and "pip install '.[torch]'" in ended.message


def test_closing_leaves_no_process(process, listener, make_order):
    listener.run(process, make_order())
    pid = process.pid
    process.close(timeout=PATIENCE)
    assert not is_alive(pid) and process.pid is None


def test_killed_node_leaves_a_checkpoint_and_no_orphan(make_order, tmp_path):
    """Notice that the node is gone, keep the state, and end."""
    order = make_order(steps=10**6)
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    node = """
import pickle, sys
from pathlib import Path
from recon_node.refinement.process import NICENESS
from recon_node.refinement.orders import Pace
from recon_node.refinement.refiner_process import RefinerProcess

process = RefinerProcess((sys.executable, "-P", sys.argv[1]))
process.run(
    pickle.loads(Path(sys.argv[2]).read_bytes()),
    on_report=lambda report: print(process.pid, flush=True),
    on_version=lambda version: None,
    cancelled=bool,
    pace=lambda: Pace.GO,
)
"""
    command = [sys.executable, "-P", "-c", node, str(STAND_IN), str(tmp_path / "order")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        pid = int(run.stdout.readline())
        assert is_alive(pid)
        run.kill()
    wait_until_gone(pid)
    assert int(order.checkpoint.read_text()) >= 1

# SPDX-License-Identifier: Apache-2.0
"""When, with which code and on what a benchmark ran, for the top of its JSON file."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_record() -> dict[str, object]:
    """Date, commit, processor, cores that this process may use, and Python's version."""
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "hardware": next(models, "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }

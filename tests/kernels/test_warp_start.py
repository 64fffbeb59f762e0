# SPDX-License-Identifier: Apache-2.0
"""Warp says nothing when it is started for the command line; compiling is announced."""

import os
import subprocess
import sys

import pytest

START_AND_CAST = """
import numpy as np
from recon_node.kernels.warp_start import start_warp
start_warp()
from recon_node.kernels.ray_cast import RayCaster
triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
caster = RayCaster(triangle, np.array([[0, 1, 2]], np.int32))
hits = caster.cast(np.array([[0.2, 0.2, 1]], np.float32), np.array([[0, 0, -1]], np.float32))
print(hits.distances[0])
import sys
print("heard", file=sys.stderr)
"""


def test_nothing_is_printed():
    """Start, load a module and launch, with no line but our own on either stream."""
    run = subprocess.run([sys.executable, "-c", START_AND_CAST], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("1.0\n", "heard\n")


LOAD_AND_CAST = """
import logging, os, pathlib
logging.basicConfig(level=logging.INFO, format="%(message)s")
from recon_node.kernels import warp_start
warp_start._PATIENCE = 0.5  # a fast machine compiles in less than the second of the default
warp_start.start_warp()
warp_start.load_kernels("ray_cast")
cache = pathlib.Path(os.environ["WARP_CACHE_PATH"])
loaded = set(cache.rglob("*.o"))
import numpy as np
from recon_node.kernels.ray_cast import RayCaster
triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
RayCaster(triangle, np.array([[0, 1, 2]], np.int32), signed=False).cast(triangle, triangle)
print(len(loaded), "then", len(set(cache.rglob("*.o")) - loaded))
"""


@pytest.mark.slow
def test_compiling_is_announced_and_done_once_per_machine(tmp_path):
    """With an empty cache say so; with a filled one say nothing. Leave nothing to the launch."""
    environment = {**os.environ, "WARP_CACHE_PATH": str(tmp_path)}
    for heard in ("compiling kernels (once per machine)\n", ""):
        run = subprocess.run(
            [sys.executable, "-c", LOAD_AND_CAST], capture_output=True, text=True, env=environment
        )
        assert (run.stdout, run.stderr) == ("1 then 0\n", heard)

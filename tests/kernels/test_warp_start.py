# SPDX-License-Identifier: Apache-2.0
"""Warp says nothing when it is started for the command line."""

import subprocess
import sys

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

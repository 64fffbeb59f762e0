# SPDX-License-Identifier: Apache-2.0
"""Where glibc takes the memory of large arrays from, by its own account."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
import sys
import numpy as np
from recon_node.freed_memory import return_freed_memory

NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()

class Account(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Account
if sys.argv[1] == "returned":
    return_freed_memory()
np.ones(20 << 20, np.uint8)  # freed at once; the next large one may come from the heap
before = libc.mallinfo2().hblkhd
array = np.ones(8 << 20, np.uint8)
print((libc.mallinfo2().hblkhd - before) >> 20)
"""


@pytest.mark.parametrize("asked, mapped", [("returned", 8), ("kept", 0)])
def test_large_arrays_are_mapped_when_asked(asked, mapped):
    """Map 8 MB of their own for an array after a larger one was freed; glibc alone does not."""
    command = [sys.executable, "-c", SCRIPT, asked]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"{mapped}\n"), run.stderr

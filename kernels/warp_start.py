# SPDX-License-Identifier: Apache-2.0
"""Warp started without its greeting, for programs whose output people or scripts read."""

import ctypes.util
import os

import warp as wp

_ONLY_WARNINGS = 30  # warp.LOG_WARNING, where Warp has log levels


def start_warp() -> None:
    """Initialises Warp; on stdout and stderr nothing is left but its warnings.

    That there is no CUDA driver is said by native code, past every log level. It is kept back
    where the machine has none; where it has one that fails, the message comes through.
    """
    if hasattr(wp.config, "log_level"):
        wp.config.log_level = _ONLY_WARNINGS
    else:
        wp.config.quiet = True  # in older versions
    if ctypes.util.find_library("cuda"):
        wp.init()
        return
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        wp.init()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)

# SPDX-License-Identifier: Apache-2.0
"""Warp started without its greeting, and its kernels compiled before they are needed."""

import ctypes.util
import importlib
import logging
import os
import threading

import warp as wp

_ONLY_WARNINGS = 30  # warp.LOG_WARNING, where Warp has log levels
_PATIENCE = 1.0  # [s] after which a wait is explained; loading from the cache takes milliseconds

_logger = logging.getLogger(__name__)


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


def load_kernels(*modules: str) -> None:
    """Compiles the kernels of modules of this package, or loads them from Warp's cache.

    The first launch would do so too, in the middle of some other work. Compiling is needed once
    per machine and version, takes several seconds, and is logged.

    Args:
        modules: Such as "ray_cast".
    """
    message = "compiling kernels (once per machine)"
    notice = threading.Timer(_PATIENCE, _logger.info, args=(message,))
    notice.daemon = True
    notice.start()
    try:
        for name in modules:
            wp.load_module(importlib.import_module(f"{__package__}.{name}"), device="cpu")
    finally:
        notice.cancel()

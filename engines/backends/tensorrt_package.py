# SPDX-License-Identifier: Apache-2.0
"""TensorRT by whichever of its two packages is installed, and what it says through our logging.

`tensorrt` comes from NVIDIA's index and builds for the GPU it runs on; `tensorrt_rtx` is on PyPI
and builds for any GPU from compute capability 8.0 on, with none at hand. Both have one interface.
"""

import importlib.util
import logging
from types import ModuleType

from recon_node.engines.errors import require_package

_logger = logging.getLogger(__name__)


def _installed() -> ModuleType:
    full = importlib.util.find_spec("tensorrt") is not None
    return require_package("tensorrt" if full else "tensorrt_rtx", extra="gpu")


trt = _installed()
FLAVOUR = trt.__name__
VERSION = f"{FLAVOUR}-{trt.__version__}"


class Log(trt.ILogger):
    """TensorRT's messages as ours, one level lower: its warnings are about its own choices.

    Attributes:
        last_error: The newest of its errors, for a message of ours; empty: none.
    """

    def __init__(self):
        super().__init__()
        self.last_error = ""

    def log(self, severity: "trt.ILogger.Severity", message: str) -> None:
        """Called by TensorRT."""
        if severity <= trt.ILogger.Severity.ERROR:
            self.last_error = message
            _logger.info("TensorRT: %s", message)
        elif severity == trt.ILogger.Severity.WARNING:
            _logger.debug("TensorRT: %s", message)

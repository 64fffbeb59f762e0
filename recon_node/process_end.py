# SPDX-License-Identifier: Apache-2.0
"""The end of a process that has native threads."""

import logging
import os
import sys
from typing import NoReturn


def end_process(code: int) -> NoReturn:
    """Ends the process at once, its output written, after everything was closed in order.

    Python would unload the libraries of DDS, Warp and ONNX Runtime while threads of theirs may
    still be in them: one of some thirty nodes ended by SIGINT ended with SIGSEGV.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

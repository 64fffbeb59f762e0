# SPDX-License-Identifier: Apache-2.0
"""The process of a node: ROS begun, spun until a signal comes, and the end. Needs rclpy."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import rclpy
from rclpy.executors import Executor
from rclpy.signals import SignalHandlerOptions

ATTENTION = 0.2  # [s] after which a signal is noticed at the latest


def start_ros(arguments: Sequence[str]) -> threading.Event:
    """What SIGINT and SIGTERM set from now on, with ROS initialised.

    Handlers of rclpy would end the context at once, in the middle of what still publishes.

    Args:
        arguments: The name of the program, then those of ROS (`--ros-args …`).
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    return stop


def spin(executor: Executor, stop: threading.Event) -> None:
    """Nothing, after the event was set and the callback that then ran is done."""
    while not stop.is_set():
        executor.spin_once(timeout_sec=ATTENTION)


def end_process(code: int) -> NoReturn:
    """Ends the process at once, its output written, after everything was closed in order.

    Python would unload the libraries of DDS, Warp and ONNX Runtime while threads of theirs may
    still be in them: one of some thirty nodes ended by SIGINT ended with SIGSEGV.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

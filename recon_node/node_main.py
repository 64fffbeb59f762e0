# SPDX-License-Identifier: Apache-2.0
"""The process of the node: what `ros2 run recon recon_node` and `recon node` start."""

import gc
import logging
import sys
from collections.abc import Sequence

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.exceptions import InvalidParameterException, ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from recon_node.engines.errors import ReconstructionError
from recon_node.freed_memory import return_freed_memory
from recon_node.kernels.warp_start import start_warp
from recon_node.node import ReconNode
from recon_node.ros_process import end_process, spin, start_ros
from recon_node.warning_log import ROOT_LOGGER


class RosHandler(logging.Handler):
    """Sends the log records of our libraries to a node's logger.

    Args:
        node: Whose logger to use.
    """

    def __init__(self, node: Node):
        super().__init__(logging.INFO)
        self._logger = node.get_logger()
        self.setFormatter(logging.Formatter())  # with the traceback, where there is one

    def emit(self, record: logging.LogRecord) -> None:
        """Logs the record at its level."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 2 where a parameter or its file cannot be used; else runs to a signal.

    After SIGINT or SIGTERM it closes everything and ends the process itself, with 0.

    Args:
        argv: Arguments of ROS (`--ros-args …`); those of the process by default.
    """
    return_freed_memory()
    try:
        stop = start_ros(sys.argv if argv is None else ["recon", *argv])
        node = ReconNode()
    except (RCLError, ReconstructionError, ParameterException, InvalidParameterException) as error:
        print("recon: error:", " ".join(str(error).split()), file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    handler = RosHandler(node)
    logger = logging.getLogger(ROOT_LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        start_warp()
        # What is imported stays: a full collection would stop every thread for 40 ms to see that.
        gc.collect()
        gc.freeze()
        node.start()
        spin(executor, stop)
    finally:
        node.close()
        logger.removeHandler(handler)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    end_process(0)


if __name__ == "__main__":
    sys.exit(main())

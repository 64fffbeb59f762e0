# SPDX-License-Identifier: Apache-2.0
"""`recon node`: the ROS 2 node, where there is no `ros2 run`."""

import argparse
import importlib

VIEW_PORT = 8080

_EXAMPLES = """\
examples:
  recon node
  recon node --view                     and a live view of the meshes in the browser
  recon node --ros-args -r image:=/camera/color/image_raw -p min_interval:=1.0
  recon node --ros-args --params-file config/recon.yaml

In a ROS 2 workspace: ros2 launch recon recon.launch.py
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon node`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "node",
        parents=parents,
        help="the ROS 2 node",
        description="Runs the ROS 2 node: images, masks and depth in, meshes out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--view",
        nargs="?",
        type=int,
        const=VIEW_PORT,
        metavar="PORT",
        help="serve a live view of the meshes to browsers (default port: %(const)s)",
    )
    parser.add_argument(
        "--ros-args",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="…",
        help="everything after it is for ROS: remappings, parameters, log levels",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code: 0 after Ctrl-C, 2 where a parameter has an impossible value."""
    from recon_node.engines.errors import MissingPackageError, require_package

    require_package("rclpy", extra="ros")
    try:
        importlib.import_module("recon.msg")
    except ImportError as error:
        raise MissingPackageError(
            f"the ROS interfaces of recon are not built ({error}); in the checkout of recon: "
            "requirements/build_interfaces.sh PYTHON, or colcon build in a workspace"
        ) from error
    from recon_node.node_main import main

    ros_arguments = [*args.ros_args]
    if args.view is not None:
        ros_arguments += ["-p", f"view_port:={args.view}"]
    return main(["--ros-args", *ros_arguments] if ros_arguments else [])

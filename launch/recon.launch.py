# SPDX-License-Identifier: Apache-2.0
"""Starts recon: `ros2 launch recon recon.launch.py image:=/camera/color/image_raw mask:=/masks`.

An argument left empty leaves the parameter to params_file; `--show-args` lists them all.
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

TOPICS = {
    "image": "Rectified colour image; for compressed ones the name without /compressed.",
    "mask": "Label image of the same stamp and size: 0 is background, each other value one object.",
    "depth": "Depth registered to the image, 16UC1 [mm] or 32FC1 [m]; optional.",
    "camera_info": "Calibration of the image.",
    "camera_pose": "PoseStamped of the optical frame; optional, not used with world_frame.",
}
# Arguments that become parameters of the node, with their type there.
PARAMETERS = {
    "engine": (str, "engine", "Engine that reconstructs, such as compact, hull or triposr."),
    "backend": (str, "backend", "What runs the engine's network, such as onnxruntime."),
    "world_frame": (str, "world_frame", "Frame of the results, through TF."),
    "autostart": (bool, "autostart", "Configure and activate without being told."),
    "view": (int, "view_port", "Port of the live view in a browser, such as 8080; 0: none."),
    "use_sim_time": (bool, "use_sim_time", "Take the time from /clock, for bags and simulators."),
}


def _arguments() -> list[DeclareLaunchArgument]:
    share = FindPackageShare("recon")
    plain = {
        "namespace": ("", "Namespace of the node; several may run on one machine."),
        "params_file": (
            PathJoinSubstitution([share, "config", "recon.yaml"]),
            "YAML file of parameters; arguments that are given come before it.",
        ),
        "log_level": ("info", "debug, info, warn, error or fatal."),
        "rviz": ("false", "true starts rviz2 where it is installed."),
        "rviz_config": (
            PathJoinSubstitution([share, "config", "recon.rviz"]),
            "Its configuration.",
        ),
        "fixed_frame": ("", "Its fixed frame; empty: world_frame, or that of rviz_config."),
    }
    return [
        *(
            DeclareLaunchArgument(name, default_value=name, description=f"Topic. {text}")
            for name, text in TOPICS.items()
        ),
        *(
            DeclareLaunchArgument(name, default_value="", description=f"{text} Empty: params_file.")
            for name, (_, _, text) in PARAMETERS.items()
        ),
        *(
            DeclareLaunchArgument(name, default_value=default, description=text)
            for name, (default, text) in plain.items()
        ),
    ]


def _recon(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, with the arguments that were given as parameters."""
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, parameter, _) in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    return [
        Node(
            package="recon",
            executable="recon_node",
            name="recon",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            remappings=[(name, LaunchConfiguration(name)) for name in TOPICS],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
            emulate_tty=True,
        )
    ]


def _rviz(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The viewer where it was asked for, or a line that says how to get it."""
    if LaunchConfiguration("rviz").perform(context) != "true":
        return []
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        advice = "sudo apt install ros-$ROS_DISTRO-rviz2, or use view:=8080"
        return [LogInfo(msg=f"rviz2 is not installed, going on without: {advice}")]
    frame = LaunchConfiguration("fixed_frame").perform(context)
    frame = frame or LaunchConfiguration("world_frame").perform(context)
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz",
            namespace=LaunchConfiguration("namespace"),
            remappings=[("image", LaunchConfiguration("image"))],
            arguments=["-d", LaunchConfiguration("rviz_config"), *(["-f", frame] if frame else [])],
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` starts."""
    actions = [OpaqueFunction(function=_recon), OpaqueFunction(function=_rviz)]
    return LaunchDescription([*_arguments(), *actions])

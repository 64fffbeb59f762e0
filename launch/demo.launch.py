# SPDX-License-Identifier: Apache-2.0
"""Shows recon without a camera: `ros2 launch recon demo.launch.py`.

A synthetic RGB-D camera moves around a table; rviz2 shows the meshes where it is installed, and
`view:=8080` shows them in a browser. With tf2_ros the camera's pose comes from TF, in the frame
map; without, from the topic camera_pose, in the frame world.
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

# Set to the same value in the included file.
PASSED_ON = {
    "namespace": ("", "Namespace of both nodes."),
    "engine": ("", "Engine: compact, hull or triposr. Empty: config/recon.yaml."),
    "view": ("", "Port of the live view in a browser, such as 8080. Empty: config/recon.yaml."),
    "rviz": ("true", "true starts rviz2 where it is installed."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}


def _has_tf() -> bool:
    try:
        get_package_prefix("tf2_ros")
    except PackageNotFoundError:
        return False
    return True


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` starts."""
    camera = Node(
        package="recon",
        executable="synthetic_camera",
        name="synthetic_camera",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        emulate_tty=True,
    )
    map_to_world = Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name="map_to_world",
        arguments=["--x", "1.0", "--yaw", "0.5", "--frame-id", "map", "--child-frame-id", "world"],
    )
    frames = {"world_frame": "map"} if _has_tf() else {"fixed_frame": "world"}
    recon = IncludeLaunchDescription(
        PathJoinSubstitution([FindPackageShare("recon"), "launch", "recon.launch.py"]),
        launch_arguments=[
            *frames.items(),
            *((name, LaunchConfiguration(name)) for name in PASSED_ON),
        ],
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in PASSED_ON.items()
            ),
            camera,
            *([map_to_world] if _has_tf() else []),
            recon,
        ]
    )

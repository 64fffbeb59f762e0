# SPDX-License-Identifier: Apache-2.0
"""A ball on disk, seen by a camera: image, mask, depth and intrinsics that belong together."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.cli import main
from recon_node.engines.camera import Camera, View

WIDTH, HEIGHT, FOCAL = 96, 72, 110.0  # [px]
RADIUS, DISTANCE = 0.05, 0.30  # [m]


@dataclass(frozen=True, eq=False)
class Ball:
    """The ball's arrays, and the folder of its files.

    Attributes:
        folder: Holds ball.png, mask.png, depth.png (mm) and camera.json.
        image: u8 (H, W, 3).
        mask: bool (H, W).
        depth: f32 (H, W) [m], NaN unknown.
        camera: What sees it.
        radius: Of the ball [m].
        distance: Of its centre, on the optical axis [m].
    """

    folder: Path
    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    camera: Camera
    radius: float = RADIUS
    distance: float = DISTANCE

    @property
    def view(self) -> View:
        """The ball with its depth."""
        return View(self.image, self.mask, self.camera, self.depth)

    def path(self, name: str) -> str:
        """Path of one of its files."""
        return str(self.folder / name)

    def command(self, **options: str | Path) -> list[str]:
        """Arguments of `recon reconstruct` by the hull; options overrule or add."""
        paths = {
            "mask": self.path("mask.png"),
            "depth": self.path("depth.png"),
            "camera": self.path("camera.json"),
            "engine": "hull",
            "output": self.path("out"),
        } | options
        image = paths.pop("image", self.path("ball.png"))
        command = ["reconstruct", str(image)]
        for name, value in paths.items():
            if value is not None:
                command += [f"--{name.replace('_', '-')}", str(value)]
        return command


@pytest.fixture
def ball(tmp_path: Path) -> Ball:
    """A shaded ball on the optical axis over a dark background."""
    K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    camera = Camera(K, WIDTH, HEIGHT)
    rays = camera.rays(camera.pixel_grid().reshape(-1, 2)).reshape(HEIGHT, WIDTH, 3)
    along = DISTANCE * rays[..., 2]
    discriminant = along**2 - DISTANCE**2 + RADIUS**2
    mask = discriminant > 0
    near = along - np.sqrt(np.maximum(discriminant, 0))  # [m] along the ray
    depth = np.where(mask, near * rays[..., 2], np.nan).astype(np.float32)
    lit = 1 - np.nan_to_num((depth - np.nanmin(depth)) / RADIUS)
    image = np.where(mask[..., None], lit[..., None] * (230, 120, 60), 40).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "ball.png")
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    stored = np.round(1000 * np.nan_to_num(depth)).astype(np.uint16)
    Image.fromarray(stored).save(tmp_path / "depth.png")
    description = {"width": WIDTH, "height": HEIGHT, "K": K.tolist()}
    (tmp_path / "camera.json").write_text(json.dumps(description))
    return Ball(tmp_path, image, mask, depth, camera)


@dataclass(frozen=True)
class Run:
    """What one run of the command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The error lines of stderr."""
        return [line for line in self.err.splitlines() if line.startswith("recon: error:")]

    @property
    def warnings(self) -> list[str]:
        """The warning lines of stderr."""
        return [line for line in self.err.splitlines() if line.startswith("recon: warning:")]


@pytest.fixture
def recon(capsys: pytest.CaptureFixture):
    """Runs the command in this process."""

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit:  # argparse leaves this way
            code = exit.code
        streams = capsys.readouterr()
        return Run(code, streams.out, streams.err)

    return run


TABLE = Path(__file__).resolve().parents[2] / "examples" / "table"


class Recording:
    """Writes a rosbag2 bag of the example table at 160x120, frame by frame; for a `with`.

    Attributes:
        path: Folder of the bag.
        types: Message classes by type name.
    """

    def __init__(self, path: Path, storage: str = "sqlite3"):
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        self.path = path
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self.types = self._store.types
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
        self._connections = {}
        self._now = 0

    def __enter__(self):
        self._writer.open()
        return self

    def __exit__(self, *_):
        self._writer.close()

    def write(self, topic: str, message: object) -> None:
        """Adds a message, a millisecond after the one before."""
        if topic not in self._connections:
            kind = message.__msgtype__
            connection = self._writer.add_connection(topic, kind, typestore=self._store)
            self._connections[topic] = connection
        self._now += 1_000_000
        data = self._store.serialize_cdr(message, message.__msgtype__)
        self._writer.write(self._connections[topic], self._now, data)

    def header(self, stamp_ns: int, frame_id: str = "camera_optical"):
        """A std_msgs/Header."""
        time = self.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 1_000_000_000))
        return self.types["std_msgs/msg/Header"](time, frame_id)

    def image(self, stamp_ns: int, pixels: np.ndarray, encoding: str):
        """A sensor_msgs/Image."""
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).view(np.uint8).ravel()
        return self.types["sensor_msgs/msg/Image"](
            self.header(stamp_ns), height, width, encoding, 0, len(data) // height, data
        )

    def camera_info(self, stamp_ns: int):
        """The sensor_msgs/CameraInfo of the table's pictures."""
        region = self.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        K = np.array([554.256258 / 4, 0, 80, 0, 554.256258 / 4, 60, 0, 0, 1])
        P = np.insert(K.reshape(3, 3), 3, 0, axis=1).ravel()
        return self.types["sensor_msgs/msg/CameraInfo"](
            self.header(stamp_ns), 120, 160, "plumb_bob", np.zeros(5), K, np.eye(3).ravel(), P,
            0, 0, region,
        )  # fmt: skip

    def transform(self, parent: str, frame: str, T_parent_frame: np.ndarray, stamp_ns: int):
        """A tf2_msgs/TFMessage of one transform."""
        from recon_node.messages.poses import quaternion_xyzw

        t, q_xyzw = T_parent_frame[:3, 3].tolist(), quaternion_xyzw(T_parent_frame[:3, :3])
        transform = self.types["geometry_msgs/msg/Transform"](
            self.types["geometry_msgs/msg/Vector3"](*t),
            self.types["geometry_msgs/msg/Quaternion"](*q_xyzw.tolist()),
        )
        stamped = self.types["geometry_msgs/msg/TransformStamped"](
            self.header(stamp_ns, parent), frame, transform
        )
        return self.types["tf2_msgs/msg/TFMessage"]([stamped])

    def pose(self, stamp_ns: int, frame_id: str, T_frame_camera: np.ndarray):
        """A geometry_msgs/PoseStamped."""
        from recon_node.messages.poses import quaternion_xyzw

        t, q_xyzw = T_frame_camera[:3, 3].tolist(), quaternion_xyzw(T_frame_camera[:3, :3])
        pose = self.types["geometry_msgs/msg/Pose"](
            self.types["geometry_msgs/msg/Point"](*t),
            self.types["geometry_msgs/msg/Quaternion"](*q_xyzw.tolist()),
        )
        return self.types["geometry_msgs/msg/PoseStamped"](self.header(stamp_ns, frame_id), pose)

    def table(self, number: int, stamp_ns: int, *, without: tuple[str, ...] = ()) -> None:
        """Adds camera_info, image, depth and mask of example frame 1, 2 or 3, but for some."""
        image, mask, depth = table_pictures(number)
        messages = {
            "camera_info": self.camera_info(stamp_ns),
            "image": self.image(stamp_ns, image, "rgb8"),
            "depth": self.image(stamp_ns, depth, "16UC1"),
            "mask": self.image(stamp_ns, mask, "mono8"),
        }
        for topic, message in messages.items():
            if topic not in without:
                self.write(f"/{topic}", message)


@functools.cache
def table_pictures(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, mask and depth [mm] of an example frame, every fourth pixel."""
    names = (f"frame_{number}.jpg", f"frame_{number}_mask.png", f"frame_{number}_depth.png")
    return tuple(np.asarray(Image.open(TABLE / name))[::4, ::4].copy() for name in names)


@pytest.fixture
def table_poses() -> dict[int, np.ndarray]:
    """`T_world_camera` (4, 4) [m] of the example frames 1, 2 and 3."""
    stored = json.loads((TABLE / "poses.json").read_text())["T_world_camera"]
    return {number: np.array(stored[f"frame_{number}"]) for number in (1, 2, 3)}


@pytest.fixture
def record(tmp_path: Path):
    """Starts the recording of a bag, in a folder of that name."""

    def start(name: str = "recording", storage: str = "sqlite3") -> Recording:
        return Recording(tmp_path / name, storage)

    return start


@pytest.fixture
def posed_folder(posed_views, tmp_path: Path) -> Path:
    """A folder with three pictures of an object, masks, depths, cameras.json, transforms.json.

    Depth maps are in half millimetres; what the object is, `posed_views` says.
    """
    folder = tmp_path / "block"
    folder.mkdir()
    ours, theirs = [], []
    for number, view in enumerate(posed_views(3)):
        pixels = {
            "rgb": view.image,
            "mask": 255 * view.mask.astype(np.uint8),
            "depth": np.round(2000 * np.nan_to_num(view.depth)).astype(np.uint16),
        }
        names = {kind: f"{kind}_{number}.png" for kind in pixels}
        for kind, name in names.items():
            Image.fromarray(pixels[kind]).save(folder / name)
        camera = view.camera
        ours.append(
            {
                "image": names["rgb"],
                "mask": names["mask"],
                "depth": names["depth"],
                "T_world_camera": camera.T_world_camera.tolist(),
            }
        )
        theirs.append(
            {
                "file_path": names["rgb"],
                "mask_path": names["mask"],
                "depth_file_path": names["depth"],
                "transform_matrix": (camera.T_world_camera * [1, -1, -1, 1]).tolist(),  # OpenGL's
            }
        )
    width, height, K = camera.width, camera.height, camera.K
    size = {"width": width, "height": height, "K": K.tolist()}
    shared = {"w": width, "h": height, "fl_x": K[0, 0], "fl_y": K[1, 1]}
    shared |= {"cx": K[0, 2], "cy": K[1, 2], "camera_model": "OPENCV", "k1": 0.0}
    write = {
        "cameras.json": size | {"depth_unit_m": 0.0005, "frames": ours},
        "transforms.json": shared | {"depth_unit_scale_factor": 0.0005, "frames": theirs},
    }
    for name, document in write.items():
        (folder / name).write_text(json.dumps(document))
    return folder

# SPDX-License-Identifier: Apache-2.0
"""A node that spins beside the test, and a robot that talks to it over real DDS."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy (pip install '.[ros]')")
pytest.importorskip("recon.msg", reason="needs requirements/build_interfaces.sh")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from recon.msg import ObjectMesh, Status  # noqa: E402
from recon.srv import Clear, QueryConfidence, Reconstruct, SaveMesh  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, PointCloud2  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from recon_node.node import ReconNode  # noqa: E402

LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PATIENCE = 60.0  # [s] after which something that did not happen is a failure
WIDTH, HEIGHT, FOCAL = 96, 72, 90.0
SERVICES = {
    "reconstruct": Reconstruct,
    "save_mesh": SaveMesh,
    "clear": Clear,
    "query_confidence": QueryConfidence,
    "change_state": ChangeState,
    "get_state": GetState,
    "set_parameters": SetParameters,
}


class Spinning:
    """A node whose executor runs in a thread until the block ends."""

    def __init__(self, node: Node, context: Context):
        self.node = node
        self.errors: list[BaseException] = []
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            while not self._stopped.is_set():
                self._executor.spin_once(timeout_sec=0.05)
        except BaseException as error:
            self.errors.append(error)

    def stop(self) -> None:
        """Stops spinning; fails where a callback raised."""
        self._stopped.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the executor hangs"
        self._executor.shutdown()
        assert not self.errors


class Robot:
    """Camera, listener and operator of one recon node."""

    def __init__(
        self, context: Context, nodes: list[Node], *, name: str = "recon", namespace: str = ""
    ):
        self._nodes = nodes
        self.node = Node("robot", context=context, namespace=namespace)
        self._name = name
        self.objects: list[ObjectMesh] = []
        self.statuses: list[Status] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.markers: list[MarkerArray] = []
        self.clouds: list[PointCloud2] = []
        self._publishers = {
            topic: self.node.create_publisher(kind, topic, 10)
            for topic, kind in (("image", Image), ("mask", Image), ("camera_info", CameraInfo))
        }
        self.listen(ObjectMesh, "objects", self.objects)
        self.listen(Status, "status", self.statuses)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self._clients = {
            service: self.node.create_client(kind, f"{name}/{service}")
            for service, kind in SERVICES.items()
        }
        self._spinning = Spinning(self.node, context)

    def listen(self, kind: type, topic: str, into: list) -> None:
        """Subscribes to a latched topic of the node."""
        self.node.create_subscription(kind, f"{self._name}/{topic}", into.append, LATCHED)

    def publisher(self, topic: str, kind: type) -> object:
        """The publisher of a topic, made when first asked for."""
        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(kind, topic, 10)
        return self._publishers[topic]

    def send(self, **messages: object) -> None:
        """Publishes messages by topic, when nodes and robot know of each other."""
        publishers = {topic: self.publisher(topic, type(m)) for topic, m in messages.items()}
        for topic, publisher in publishers.items():
            wait_until(publisher.get_subscription_count, f"nobody listens to {topic}")
            for node in self._nodes:
                name = publisher.topic_name
                wait_until(lambda n=node, t=name: n.count_publishers(t), f"{topic} is not seen")
        for topic, message in messages.items():
            publishers[topic].publish(message)

    def call(self, service: str, **fields: object) -> object:
        """The response of a service of the node."""
        client = self._clients[service]
        assert client.wait_for_service(PATIENCE), f"there is no service {service}"
        future = client.call_async(SERVICES[service].Request(**fields))
        wait_until(future.done, f"{service} does not answer")
        return future.result()

    def change(self, transition: str) -> bool:
        """Whether a transition of the node's lifecycle succeeded."""
        return self.call("change_state", transition=Transition(label=transition)).success

    def state(self) -> str:
        """The node's state."""
        return self.call("get_state").current_state.label

    def set(self, **values: object) -> object:
        """The node's answer to new parameter values, of the last one."""
        parameters = [Parameter(n, value=v).to_parameter_msg() for n, v in values.items()]
        return self.call("set_parameters", parameters=parameters).results[-1]

    def status_where(self, condition: Callable[[Status], bool], what: str) -> Status:
        """The first status from now on that fulfils the condition."""
        start = len(self.statuses)
        wait_until(lambda: any(map(condition, self.statuses[start:])), f"no status: {what}")
        return next(filter(condition, self.statuses[start:]))

    def dropped(self, reason: str) -> int:
        """How often the last status counts a reason."""
        return dropped(self.statuses[-1], reason)

    def drops(self, reason: str, count: int = 1) -> Status:
        """A status in which the reason was counted at least that often."""
        return self.status_where(
            lambda status: dropped(status, reason) >= count, f"{count} drops of {reason}"
        )

    def object(self, object_id: str, version: int = 1) -> ObjectMesh:
        """The message of that object and version, once it has come."""
        wait_until(lambda: self._find(object_id, version), f"no {object_id} version {version}")
        return self._find(object_id, version)

    def _find(self, object_id: str, version: int) -> ObjectMesh | None:
        for message in self.objects:
            if (message.object_id, message.version) == (object_id, version):
                return message
        return None

    def close(self) -> None:
        """Stops listening."""
        self._spinning.stop()
        self.node.destroy_node()


def dropped(status: Status, reason: str) -> int:
    """How often a status counts a reason."""
    return dict(zip(status.drop_reasons, status.drop_counts, strict=True)).get(reason, 0)


def wait_until(condition: Callable[[], object], what: str, *, patience: float = PATIENCE) -> None:
    """Returns when the condition holds; fails with `what` where it never does."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@pytest.fixture(scope="session", autouse=True)
def private_domain() -> None:
    """Keep the tests of one process away from every other ROS system of the machine."""
    os.environ["ROS_DOMAIN_ID"] = str(20 + os.getpid() % 80)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture
def context() -> Iterator[Context]:
    """An initialised context of ROS, the test's own."""
    context = Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    yield context
    context.try_shutdown()


@pytest.fixture
def nodes() -> list[ReconNode]:
    """The nodes that `start_node` has started."""
    return []


@pytest.fixture
def start_node(context: Context, nodes: list[Node]) -> Iterator[Callable[..., ReconNode]]:
    """Starts nodes with parameters; all of them are closed at the end, without an error."""
    running = []

    def start(*, namespace: str = "", **parameters: object) -> ReconNode:
        values = {"engine": "hull", "min_interval": 0.0, "diagnostics_period": 0.1} | parameters
        # Over best effort, what is sent while DDS still introduces the two is lost.
        values |= {
            f"qos_overrides.{namespace}/{topic}.subscription.reliability": "reliable"
            for topic in ("image", "image/compressed", "mask", "depth", "camera_info")
        }
        node = ReconNode(
            context=context,
            namespace=namespace,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        node.start()
        nodes.append(node)
        running.append((node, Spinning(node, context)))
        return node

    yield start
    for node, spinning in running:
        spinning.stop()
        node.close()
        node.destroy_node()


@pytest.fixture
def make_robot(context: Context, nodes: list[Node]) -> Iterator[Callable[..., Robot]]:
    """Makes robots, all of them closed at the end."""
    robots = []

    def make(**options: str) -> Robot:
        robots.append(Robot(context, nodes, **options))
        return robots[-1]

    yield make
    for robot in robots:
        robot.close()


@pytest.fixture
def robot(make_robot: Callable[..., Robot]) -> Robot:
    """The camera, listener and operator of the node `recon`."""
    return make_robot()


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    """See `wait_until`."""
    return wait_until


@pytest.fixture(name="scene")
def scene_fixture() -> Callable[..., dict[str, object]]:
    """See `scene`."""
    return scene


@pytest.fixture(name="ball")
def ball_fixture() -> Callable[..., dict[str, object]]:
    """See `ball`."""
    return ball


@pytest.fixture(name="image_message")
def image_message_fixture() -> Callable[..., Image]:
    """See `image_message`."""
    return image_message


@pytest.fixture(name="pose_message")
def pose_message_fixture() -> Callable[..., PoseStamped]:
    """See `pose_message`."""
    return pose_message


def stamped(message: object, stamp: float, frame_id: str = "camera_optical_frame") -> object:
    """The message with a header; stamp in seconds."""
    message.header.stamp.sec = int(stamp)
    message.header.stamp.nanosec = round((stamp - int(stamp)) * 1e9)
    message.header.frame_id = frame_id
    return message


def image_message(pixels: np.ndarray, encoding: str, stamp: float) -> Image:
    """An Image of an array (H, W[, C])."""
    pixels = np.ascontiguousarray(pixels)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = pixels.strides[0]
    message.data.frombytes(pixels.tobytes())
    return stamped(message, stamp)


def camera_info(stamp: float, *, width: int = WIDTH, height: int = HEIGHT) -> CameraInfo:
    """The camera of all test images."""
    message = CameraInfo(width=width, height=height)
    message.k = [FOCAL, 0.0, width / 2, 0.0, FOCAL, height / 2, 0.0, 0.0, 1.0]
    message.p = [FOCAL, 0.0, width / 2, 0.0, 0.0, FOCAL, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0]
    return stamped(message, stamp)


def pose_message(position: tuple[float, float, float], stamp: float, frame: str) -> PoseStamped:
    """A camera at a position, its axes those of the frame."""
    message = PoseStamped()
    message.pose.position.x, message.pose.position.y, message.pose.position.z = position
    message.pose.orientation.w = 1.0
    return stamped(message, stamp, frame)


def scene(
    stamp: float,
    labels: tuple[int, ...] = (1,),
    *,
    brightness: int = 200,
    shift: int = 0,
    with_depth: bool = True,
) -> dict[str, object]:
    """Image, mask, camera_info and depth of discs in a row, half a metre away, by topic."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    depth = np.full((HEIGHT, WIDTH), 800, np.uint16)
    pitch = WIDTH / len(labels)
    radius = min(16.0, 0.4 * pitch)
    for index, label in enumerate(labels):
        centre = (index + 0.5) * pitch + shift
        inside = (columns - centre) ** 2 + (rows - HEIGHT / 2) ** 2 < radius**2
        mask[inside], image[inside], depth[inside] = label, brightness, 500
    messages = {
        "camera_info": camera_info(stamp),
        "mask": image_message(mask, "mono8", stamp),
        "image": image_message(image, "rgb8", stamp),
    }
    if with_depth:
        messages["depth"] = image_message(depth, "16UC1", stamp)
    return messages


def ball(
    stamp: float, *, angle: float = 0.0, x: float = 0.0, radius: float = 0.07
) -> dict[str, object]:
    """What a camera on a circle around the world's origin sees of a striped ball, by topic.

    Args:
        stamp: When [s].
        angle: Of the camera on the circle of half a metre [rad].
        x: Where the ball is [m, world].
        radius: Its own [m].
    """
    messages = scene(stamp)
    height, width = messages["image"].height, messages["image"].width
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    position = R @ [0.0, 0.0, -0.5]
    rows, columns = np.mgrid[:height, :width] + 0.5
    rays = np.stack([(columns - width / 2) / FOCAL, (rows - height / 2) / FOCAL, 1 + 0 * rows], -1)
    centre = R.T @ ([x, 0.0, 0.0] - position)
    squared, along = (rays**2).sum(-1), rays @ centre
    root = along**2 - squared * (centre @ centre - radius**2)
    depth = np.where(root > 0, (along - np.sqrt(root.clip(0))) / squared, 0.9)
    normals = (rays * depth[..., None] - centre) @ R.T / radius
    stripes = 130 + 60 * np.sin(9 * normals[..., 1]) + 40 * np.sin(7 * normals[..., 0])
    image = np.where(root > 0, stripes, 40).clip(0, 255).astype(np.uint8)
    messages["image"] = image_message(np.repeat(image[..., None], 3, axis=2), "rgb8", stamp)
    messages["mask"] = image_message((root > 0).astype(np.uint8), "mono8", stamp)
    messages["depth"] = image_message((1000 * depth).round().astype(np.uint16), "16UC1", stamp)
    pose = pose_message(tuple(position), stamp, "map")
    pose.pose.orientation.y, pose.pose.orientation.w = np.sin(angle / 2), np.cos(angle / 2)
    messages["camera_pose"] = pose
    return messages

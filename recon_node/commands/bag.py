# SPDX-License-Identifier: Apache-2.0
"""`recon bag`: a recorded bag to the meshes of its objects, without ROS."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from recon_node.engine_options import add_engine_options, engine_of
from recon_node.output_option import add_output_option
from recon_node.terminal import print_table, terminal_progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from recon_node.bag_files import BagReader, ObjectBagWriter
    from recon_node.bag_frames import BagFrames
    from recon_node.bag_objects import BagObjects
    from recon_node.bag_topics import BagTopics
    from recon_node.refinement.counted_steps import CountedRefinement
    from recon_node.streams.drops import DropCounter

_EXAMPLES = """\
examples:
  topics that are found by name, type or encoding:
    recon bag recording -o out
  topics of a camera and a segmenter, results in the map of /tf:
    recon bag recording --image /camera/color/image_raw --mask /segmenter/mask \\
      --depth /camera/aligned_depth_to_color/image_raw --world-frame map -o out
  a mesh of every frame:
    recon bag recording --every-frame -o out
  better meshes from all views of each object:
    recon bag recording --world-frame map --refine 300 -o out

files:
  OBJECT/mesh.ply, mesh.glb, result.json   the newest version of each object
  bag                                      every version, recon/msg/ObjectMesh on /recon/objects

A frame is an image with a mask (and a depth, where the bag has any) of its stamp. An object is
reconstructed when it first appears, and again when at least --min-interval has passed and its
pixels have changed. --refine improves it over all its views when it is gone or the bag ends; steps
are counted, not time, so that the same bag and seed give the same meshes, bit for bit on a CPU.
"""

_logger = logging.getLogger(__name__)


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon bag`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "bag",
        parents=parents,
        help="a recorded ROS 2 bag to meshes",
        description="Reconstructs the objects of a rosbag2 bag (sqlite3 or mcap). Needs no ROS.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bag", metavar="BAG", type=Path, help="folder of the bag, or its file")
    _add_topic_options(parser)
    _add_work_options(parser)
    add_engine_options(parser)
    add_output_option(parser)
    parser.add_argument(
        "--storage", choices=("sqlite3", "mcap"), help="of the bag written (default: as BAG)"
    )
    return parser


def _add_topic_options(parser: argparse.ArgumentParser) -> None:
    topics = {
        "image": "sensor_msgs Image or CompressedImage",
        "mask": "label image: 0 is background, each other value one object",
        "depth": "sensor_msgs/Image, registered to the image: 16UC1 [mm] or 32FC1 [m]",
        "camera-info": "sensor_msgs/CameraInfo of the image",
        "camera-pose": "geometry_msgs/PoseStamped of the camera",
    }
    for name, about in topics.items():
        default = "what stands out" if name != "camera-pose" else "a topic of that name"
        parser.add_argument(f"--{name}", metavar="TOPIC", help=f"{about} (default: {default})")
    parser.add_argument("--no-depth", action="store_true", help="leave the depth of the bag out")
    parser.add_argument(
        "--world-frame",
        default="",
        metavar="FRAME",
        help="frame of the results, through /tf and /tf_static (default: that of the camera pose, "
        "else the camera's)",
    )


def _add_work_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slop",
        type=float,
        metavar="SECONDS",
        help="how far the stamps of mask and depth may lie from the image's (default: 0.02)",
    )
    parser.add_argument(
        "--persistent-labels",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether a mask value always means the same object; else overlap and place tell",
    )
    parser.add_argument(
        "--min-interval",
        type=float,
        metavar="SECONDS",
        help="shortest time between two meshes of an object (default: 0.2)",
    )
    parser.add_argument(
        "--change-threshold",
        type=float,
        metavar="SHARE",
        help="share of an object's sampled pixels that must have changed (default: 0.05)",
    )
    parser.add_argument(
        "--every-frame",
        action="store_true",
        help="reconstruct every object in every frame: --min-interval 0 --change-threshold 0",
    )
    parser.add_argument(
        "--refine",
        type=int,
        metavar="STEPS",
        help="improve each object over its views in so many steps; needs torch (default: no)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="NUMBER",
        help="of the random choices of --refine (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code; 2 where the bag is damaged or gave no mesh, after what it gave was written."""
    from recon_node.engines.errors import InvalidInputError, require_package
    from recon_node.output_files import require_writable
    from recon_node.streams.drops import DropCounter

    require_package("rosbags", extra="bag")
    from recon_node.bag_files import BagReader, ObjectBagWriter
    from recon_node.bag_topics import choose_topics

    if args.no_depth and args.depth:
        raise InvalidInputError("--depth and --no-depth exclude each other; leave one out")
    drops = DropCounter()
    require_writable(args.output)
    with BagReader(args.bag) as reader:
        parts = ["image", "mask", "camera_info", "depth", "camera_pose"]
        if args.no_depth:
            parts.remove("depth")
        topics = choose_topics(reader, {part: getattr(args, part) for part in parts})
        progress = terminal_progress()
        frames, objects = _pipeline(args, reader, topics, drops, progress)
        writer = ObjectBagWriter(args.output / "bag", storage=args.storage or reader.storage)
        try:
            _work(reader, frames, objects, writer, progress)
        finally:
            writer.close()
            _write_meshes(args, topics, objects)
            _print_summary(args.output, frames, objects, writer, drops)
    if not objects.latest:
        raise InvalidInputError(_why_nothing(args.bag, frames, objects))
    return 0


def _pipeline(
    args: argparse.Namespace,
    reader: "BagReader",
    topics: "BagTopics",
    drops: "DropCounter",
    progress: "Progress",
) -> tuple["BagFrames", "BagObjects"]:
    from recon_node.bag_frames import BagFrames
    from recon_node.bag_objects import BagObjects
    from recon_node.engines.errors import InvalidInputError
    from recon_node.engines.keyframes.buffer import KeyframeConfig
    from recon_node.node_config import WorkConfig
    from recon_node.streams.change import ChangeConfig
    from recon_node.streams.frame_join import JoinConfig
    from recon_node.streams.identity import TrackingConfig

    interval, threshold = args.min_interval, args.change_threshold
    if args.every_frame:
        if interval is not None or threshold is not None:
            raise InvalidInputError(
                "--every-frame sets --min-interval and --change-threshold; leave those out"
            )
        interval = threshold = 0.0
    join = JoinConfig() if args.slop is None else JoinConfig(slop=args.slop)
    work = WorkConfig() if interval is None else WorkConfig(min_interval=interval)
    change = ChangeConfig() if threshold is None else ChangeConfig(change_threshold=threshold)
    frames = BagFrames(reader, topics, join=join, world_frame=args.world_frame, drops=drops)
    objects = BagObjects(
        engine_of(args),
        tracking=TrackingConfig(persistent_labels=args.persistent_labels),
        change=change,
        min_interval=work.min_interval,
        drops=drops,
        keyframes=KeyframeConfig(),
        refine=None if args.refine is None else _refine(args, progress),
    )
    return frames, objects


def _refine(args: argparse.Namespace, progress: "Progress") -> "CountedRefinement":
    """What refines an object, with a progress bar of its own for each."""
    from recon_node.engines.refine.config import RefineConfig
    from recon_node.refinement.counted_steps import CountedRefinement

    tasks: dict[str, TaskID] = {}

    def show(object_id: str, step: int) -> None:
        if object_id not in tasks:
            tasks[object_id] = progress.add_task(f"refining {object_id}", total=args.refine)
        progress.update(tasks[object_id], completed=step)

    config = RefineConfig(budget=0, steps=args.refine, seed=args.seed)
    return CountedRefinement(config, on_step=show, on_nothing=_logger.warning)


def _work(
    reader: "BagReader",
    frames: "BagFrames",
    objects: "BagObjects",
    writer: "ObjectBagWriter",
    progress: "Progress",
) -> None:
    """Reads the bag to its end, or to its damage, and writes the news of its objects."""
    from recon_node.bag_files import BagReadError

    total = sum(reader.topics[name].count for name in frames.topics if name in reader.topics)
    damage = None
    with progress:
        task = progress.add_task(reader.path.name, total=total)
        try:
            for frame in frames.read(lambda: progress.advance(task)):
                for news in objects.feed(frame):
                    writer.write(news)
        except BagReadError as error:
            damage = error
        for news in objects.finish():
            writer.write(news)
    if damage is not None:
        raise damage


def _write_meshes(args: argparse.Namespace, topics: "BagTopics", objects: "BagObjects") -> None:
    from recon_node.output_files import write_files
    from recon_node.result_files import result_files

    for object_id, stored in objects.latest.items():
        inputs = {
            "bag": str(args.bag),
            "topics": vars(topics),
            "stamp_ns": stored.stamp_ns,
            "frame_id": stored.frame_id,
            "label": stored.label,
        }
        write_files(args.output / object_id, result_files(stored.result, None, inputs=inputs))


def _print_summary(
    output: Path,
    frames: "BagFrames",
    objects: "BagObjects",
    writer: "ObjectBagWriter",
    drops: "DropCounter",
) -> None:
    from rich.table import Table

    from recon_node.result_description import describe_maker, describe_size

    for reason, text in (frames.faults | objects.faults).items():
        _logger.warning("%s, the last time: %s", reason.value, text)
    if objects.latest:
        table = Table(box=None, header_style="bold")
        for heading in ("object", "version", "made by", "width x depth x height", "files in"):
            table.add_column(heading, no_wrap=True)
        for object_id, stored in objects.latest.items():
            result = stored.result
            version, size = str(result.version), describe_size(result)
            table.add_row(object_id, version, describe_maker(result), size, str(output / object_id))
        print_table(table)
    dropped = ", ".join(f"{name} {count}" for name, count in drops.counts().items() if count)
    print(f"{frames.images} images, {frames.frames} frames, {writer.mesh_count} meshes")
    print(f"dropped: {dropped or 'nothing'}")


def _why_nothing(bag: Path, frames: "BagFrames", objects: "BagObjects") -> str:
    reasons = [frames.missing, *frames.faults.values(), *objects.faults.values()]
    told = "; ".join(reason for reason in reasons if reason)
    return f"the bag {bag} gave no mesh: {told or 'its masks mark no object'}"

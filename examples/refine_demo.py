# SPDX-License-Identifier: Apache-2.0
"""What `make demo-refine` runs: the mesh of one object gets better while the camera moves.

    python examples/refine_demo.py [--object bowl] [--seconds 90] [--budget 25] [--out out/refine]

A process is the camera, another the node with `refine.mode: continuous`; this one is a subscriber
that measures how far each version is from the surface that the camera renders, and draws them.
Needs torch, rclpy and recon's interfaces. On a machine that is busy, give it more time.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from refine_picture import Version, draw_sequence
from ros_demo import keep_to_ourselves, last_lines, running
from surface_error import SurfaceError, true_mesh

from recon_node.baked_scene import load_baked_scene
from recon_node.kernels.warp_start import start_warp

OBJECTS = ("mug", "carton", "bottle", "bowl", "apple", "hammer")  # labels 1 to 6
CAMERA_RATE = 1.0  # twenty frames around the table; leaves the processors to the refiner [Hz]
MIN_INTERVAL = 4.0  # between two instant meshes, for the same reason [s]
COLORS = 256  # of the picture's file


def main() -> int:
    """Exit code: 0 where refined versions came and every process ended well, else 1."""
    args = _parser().parse_args()
    try:
        for module in ("torch", "rclpy", "sensor_msgs.msg", "recon.msg"):
            importlib.import_module(module)
    except ImportError as error:
        print(f"this needs torch and ROS 2 ({error}); `make demo-refine` brings both with pip")
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    label = 1 + OBJECTS.index(args.object)
    start_warp()
    truth = true_mesh(load_baked_scene(), label)
    codes: dict[str, int] = {}
    versions = _hear(args, label, SurfaceError(truth), codes)
    print("ended: " + ", ".join(f"{name} with exit code {code}" for name, code in codes.items()))
    refined = [version for version in versions if version.stage == "refined"]
    if versions:
        title = f"The {args.object} of the table: versions of its mesh as they arrived over DDS"
        picture = draw_sequence(versions, truth, title=f"{title} while the camera moved")
        picture.quantize(COLORS, kmeans=2).save(args.out / "refine_sequence.png", optimize=True)
        _write_table(versions, args.out / "versions.json")
    if not refined or any(codes.values()):
        print(f"{len(refined)} refined versions came; the last lines of the logs:")
        for name in codes:
            lines = last_lines(args.out / f"{name}.log")
            print("".join(f"  {name}: {line}\n" for line in lines))
        return 1
    best = min(refined, key=lambda version: version.chamfer)
    print(
        f"Chamfer to the truth: {1000 * versions[0].chamfer:.2f} mm of the first mesh, "
        f"{1000 * best.chamfer:.2f} mm of the best, {1000 * versions[-1].chamfer:.2f} mm of the "
        f"last ({versions[-1].chamfer / versions[0].chamfer - 1:+.0%})"
    )
    print(f"  {args.out / 'refine_sequence.png'}  the versions, and their error over time")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Refines an object while a camera moves.")
    parser.add_argument("--out", type=Path, default=Path("out/refine"), help="default: %(default)s")
    parser.add_argument("--object", choices=OBJECTS, default="bowl", help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=90.0, help="how long to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--budget", type=float, default=25.0, help="refine.budget (default: %(default)s)"
    )
    return parser


def _hear(
    args: argparse.Namespace, label: int, error: SurfaceError, codes: dict[str, int]
) -> list[Version]:
    """The versions that came; the processes' exit codes are put into `codes`."""
    from ros_versions import CHOSEN_MASK, hear_versions

    node = {
        "refine.mode": "continuous",
        "refine.budget": args.budget,
        "refine.checkpoint_directory": "''",  # a demo leaves nothing behind
        "min_interval": MIN_INTERVAL,
    }
    commands = {
        "camera": ["recon_node.camera_node", *_ros({"rate": CAMERA_RATE})],
        "node": ["recon_node.node_main", *_ros(node), "-r", f"mask:={CHOSEN_MASK}"],
    }
    keep_to_ourselves()
    with running(commands, args.out, codes) as processes:
        return hear_versions(label, error.chamfer, seconds=args.seconds, processes=processes)


def _ros(parameters: dict[str, object]) -> list[str]:
    """Arguments of a node with those parameters."""
    pairs = [("-p", f"{name}:={value}") for name, value in parameters.items()]
    return ["--ros-args", *(word for pair in pairs for word in pair)]


def _write_table(versions: Sequence[Version], path: Path) -> None:
    rows = [
        {
            "version": version.number,
            "stage": version.stage,
            "view_count": version.view_count,
            "seconds": round(version.seconds, 2),
            "chamfer_mm": round(1000 * version.chamfer, 3),
        }
        for version in versions
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

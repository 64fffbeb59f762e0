# SPDX-License-Identifier: Apache-2.0
"""What `make demo` runs: `recon reconstruct` on the examples, then the ROS 2 node for real.

    python examples/demo.py [--out out] [--engine compact|hull] [--weights DIR] [--offline]

Needs the base install only; without ROS 2 the node is left out.
"""

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path

from coffee_picture import WHEEL, PictureUnavailable, coffee_picture
from demo_picture import draw_demo
from ros_demo import run_ros_demo

from recon_node import cli

EXAMPLES = Path(__file__).resolve().parent
TABLE, COFFEE = EXAMPLES / "table", EXAMPLES / "coffee"
FRAME = "frame_1"  # that of the composite picture


def main() -> int:
    """Exit code: that of the first `recon` that failed, else 0."""
    args = _parser().parse_args()
    started = time.perf_counter()
    options = ["--engine", args.engine]
    options += ["--weights", str(args.weights)] if args.weights else []

    print("(a) A robot's RGB-D frames of a table: rendered, six objects, stereo-like depth\n")
    code = _recon("reconstruct", _short(TABLE), "-o", str(args.out / "table"), *options)
    if code:
        return code
    picture = args.out / "demo.png"
    draw_demo(TABLE, FRAME, args.out / "table" / FRAME).save(picture)

    print("\n(b) A photograph: colours only, from a camera that nobody knows\n")
    try:
        image = coffee_picture(args.cache)
    except PictureUnavailable as error:
        print(f"left out: {error}")
        print(f"The picture comes in the wheel of {WHEEL}; with a network, run this again.")
    else:
        code = _recon(
            *("reconstruct", _short(image), "--mask", _short(COFFEE / "coffee_mask.png")),
            *("-o", str(args.out / "coffee"), *options),
        )
        if code:
            return code
    _print_findings(args.out, picture, time.perf_counter() - started)
    if args.offline:
        return 0
    print("\n(c) ROS 2: a camera moves around the table, the node looks, and this hears the node\n")
    return run_ros_demo(args.out / "ros", engine=args.engine, weights=args.weights)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Reconstructs the example scenes.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="default: %(default)s")
    parser.add_argument("--engine", default="compact", help="compact or hull")
    parser.add_argument("--weights", type=Path, help="folder of weights other than the package's")
    parser.add_argument("--offline", action="store_true", help="files only, no ROS 2")
    parser.add_argument(
        "--cache",
        type=Path,
        default=EXAMPLES.parent / ".venv-cache",
        help="where the downloaded photograph stays (default: %(default)s)",
    )
    return parser


def _recon(*arguments: str) -> int:
    """Runs the command line in this process, after showing what to type for the same."""
    print(f"$ recon {shlex.join(arguments)}", flush=True)
    return cli.main(arguments)


def _print_findings(out: Path, picture: Path, seconds: float) -> None:
    results = [json.loads(path.read_text()) for path in sorted(out.rglob("result.json"))]
    times = sorted(1000 * result["metrics"]["total_s"] for result in results)
    engines = ", ".join(sorted({result["engine"] for result in results}))
    print(
        f"\n{len(results)} meshes by {engines} in {seconds:.0f} s, previews included; "
        f"image to mesh took {times[len(times) // 2]:.0f} ms in the median "
        f"({times[0]:.0f} to {times[-1]:.0f} ms)."
    )
    print("\nLook at")
    print(f"  {picture}  the table's frame and its meshes, in one picture")
    first = sorted((out / "table" / FRAME).rglob("preview.png"))[0]
    print(f"  {first}  one object, with its size; the others are beside it")
    if (out / "coffee" / "preview.png").is_file():
        print(f"  {out / 'coffee' / 'preview.png'}  the photograph")
    recon = _short(Path(sys.executable).with_name("recon"))
    print(f"  {recon} view {first.with_name('mesh.glb')}  turns a mesh in the browser")


def _short(path: Path) -> str:
    """The path from the working directory where it is below, as one would type it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


if __name__ == "__main__":
    sys.exit(main())

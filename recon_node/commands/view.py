# SPDX-License-Identifier: Apache-2.0
"""`recon view`: a mesh in the browser, from one page that needs no network."""

import argparse
from pathlib import Path

_EXAMPLES = """\
examples:
  recon view out/mesh.glb
  recon view out/mesh.glb --html cup.html     keep the page, to look at it on another machine
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon view`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "view",
        parents=parents,
        help="a mesh in the browser",
        description="Opens a mesh in the browser, or says how to look at it elsewhere.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", type=Path, help="mesh.glb or mesh.ply")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the page there")
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code 0, whether or not a browser could be opened: the page is there."""
    from recon_node.mesh_page import mesh_page, open_page, temporary_page
    from recon_node.output_files import write_files

    content = mesh_page(args.mesh)
    page = args.html or temporary_page(args.mesh.stem)
    write_files(page.parent, {page.name: content})
    if open_page(page):
        print(f"{args.mesh} is shown in the browser (drag to turn): {page}")
    else:
        print(
            f"No display and no browser here. {page} needs no network: copy it to a machine with a "
            "browser and open it there, or serve it with "
            f"`python3 -m http.server -d {page.parent} 8000`"
        )
    return 0

# SPDX-License-Identifier: Apache-2.0
"""The option that says where files go, shared by the commands that write meshes."""

import argparse
from pathlib import Path


def add_output_option(parser: argparse.ArgumentParser) -> None:
    """Adds -o/--output."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help="where the files go (default: %(default)s)",
    )

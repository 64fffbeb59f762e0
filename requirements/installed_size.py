# SPDX-License-Identifier: Apache-2.0
"""Prints the size of every installed distribution, and fails where the sum is above a limit.

Run it with the Python of the environment to measure. pip and setuptools, which are part of every
environment, are left out; bytecode is left out too, because it depends on what has run.
"""

import argparse
import importlib.metadata
import sys

TOOLS = {"pip", "setuptools"}


def distribution_size(distribution: importlib.metadata.Distribution) -> int:
    """Sum of the sizes of the distribution's files that exist, without bytecode [bytes]."""
    paths = (file.locate() for file in distribution.files or [] if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.exists())


def main() -> int:
    """Exit code: 1 where the sum is above --max-mb."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-mb", type=float, default=float("inf"), help="limit [10^6 bytes]")
    limit = parser.parse_args().max_mb
    sizes = {
        distribution.metadata["Name"]: distribution_size(distribution) / 1e6
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"].lower() not in TOOLS
    }
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size:8.1f} MB  {name}")
    total = sum(sizes.values())
    print(f"{total:8.1f} MB  total")
    if total > limit:
        print(f"installed_size: {total:.1f} MB is above the limit of {limit:g} MB", file=sys.stderr)
    return int(total > limit)


if __name__ == "__main__":
    sys.exit(main())

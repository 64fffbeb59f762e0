# SPDX-License-Identifier: Apache-2.0
"""The command `recon`: parses, dispatches, and turns every error into one line and an exit code.

A subcommand is one module in `recon_node/commands` with `add_parser(subparsers)` and
`run(args) -> int`, named in `COMMANDS`. What it needs beyond the standard library is imported in
`run`, so that `recon --help` answers at once.
"""

import argparse
import difflib
import importlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from recon_node.engines.errors import ReconstructionError
from recon_node.warning_log import ROOT_LOGGER, StderrHandler

COMMANDS = ("reconstruct", "node", "bag", "evaluate", "view", "train", "convert", "export", "build")

EXIT_OK, EXIT_INTERNAL, EXIT_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """\
examples:
  recon reconstruct cup.png --mask cup_mask.png -o out
  recon reconstruct rgb.png --mask labels.png --depth depth.png --camera camera_info.yaml -o out
  recon reconstruct a.png b.png c.png --cameras cameras.json --refine 60 -o out
  recon bag recording -o out
  recon view out/mesh.glb
  recon evaluate eval_val --json out.json

exit codes: 0 done, 2 bad usage or bad input, 1 internal error
"""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says where the help is."""

    def error(self, message: str) -> NoReturn:
        """Prints `recon: error: …` and exits with 2; an unknown choice gets the nearest one."""
        unknown = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if unknown:
            known = [name.strip(" '") for name in unknown[2].split(",")]
            nearest = difflib.get_close_matches(unknown[1], known, n=1)
            message += f"; did you mean {nearest[0]!r}?" if nearest else ""
        self.exit(EXIT_INPUT, f"recon: error: {message}; see `{self.prog} --help`\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of one run of `recon`.

    Args:
        argv: Arguments without the program's name; those of the process by default.
    """
    args = _parser().parse_args(argv)
    handler = StderrHandler(with_tracebacks=args.debug)
    logger = logging.getLogger(ROOT_LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if args.debug else logging.WARNING)
    logger.getChild("kernels").setLevel(logging.INFO)  # why it may take a while
    try:
        code = args.run(args)
        sys.stdout.flush()  # here, where a reader that went away is still caught
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED, debug=args.debug)
    except BrokenPipeError:
        # The reader of stdout went away (`recon … | head`); keep Python from flushing into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except ReconstructionError as error:
        return _fail(str(error), EXIT_INPUT, debug=args.debug)
    except MemoryError:
        message = "out of memory; use a smaller image, or close other programs"
        return _fail(message, EXIT_INPUT, debug=args.debug)
    except Exception as error:
        hint = "" if args.debug else "; run again with --debug for the traceback, and report it"
        message = f"internal error: {type(error).__name__}: {error}{hint}"
        return _fail(message, EXIT_INTERNAL, debug=args.debug)
    finally:
        logger.removeHandler(handler)


def _fail(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print("recon: error:", " ".join(message.split()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show debug messages and tracebacks")
    parser = OneLineParser(
        prog="recon",
        description="Turns one image and one mask into a complete, watertight mesh.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(
        required=True, dest="command", metavar="COMMAND", parser_class=OneLineParser
    )
    for name in COMMANDS:
        module = importlib.import_module(f"recon_node.commands.{name}")
        subparser = module.add_parser(subparsers, parents=[common])
        subparser.set_defaults(run=module.run)
    return parser

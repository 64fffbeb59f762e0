# SPDX-License-Identifier: Apache-2.0
"""What the command line shows beside plain lines: a progress bar, and tables."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table


def terminal_progress() -> Progress:
    """A progress bar on stderr that is gone when done; silent where stderr is no terminal."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def print_table(table: Table) -> None:
    """Prints a table on stdout; long paths wrap in a terminal, but are never cut."""
    console = Console(width=1000)
    # Printed by us, because rich leaves the process where the reader of stdout went away.
    with console.capture() as capture:
        console.print(table)
    print(capture.get(), end="")

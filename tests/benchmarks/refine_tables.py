# SPDX-License-Identifier: Apache-2.0
"""Tables of refine_quality.json: what each method reaches, and what recon owes to its parts."""

from collections.abc import Callable, Iterable

import numpy as np
from rich.console import Console
from rich.table import Table

COLUMNS: dict[str, tuple[str, Callable[[list[float]], float], str]] = {
    "chamfer_mm": ("Chamfer mm", np.median, "{:.2f}"),
    "chamfer_rel": ("Chamfer %", np.median, "{:.2%}"),
    "fscore_2pct": ("F 2 %", np.mean, "{:.3f}"),
    "fscore_5pct": ("F 5 %", np.mean, "{:.3f}"),
    "completeness_5pct": ("complete 5 %", np.mean, "{:.3f}"),
    "seen_fscore_1pct": ("seen F 1 %", np.mean, "{:.3f}"),
    "seen_fscore_2pct": ("seen F 2 %", np.mean, "{:.3f}"),
    "seen_fscore_5pct": ("seen F 5 %", np.mean, "{:.3f}"),
    "seen_chamfer_rel": ("seen Chamfer %", np.median, "{:.2%}"),
    "iou": ("IoU", np.mean, "{:.3f}"),
    "scale_error": ("scale error", np.median, "{:.2%}"),
    "psnr": ("PSNR dB", np.mean, "{:.1f}"),
}
# What a method scores that made no mesh: nothing found, infinitely far.
FAILED = {name: np.inf if "chamfer" in name or name == "scale_error" else 0.0 for name in COLUMNS}


def print_tables(rows: list[dict]) -> None:
    """Everything by condition, views and method; then what is asked of recon."""
    console = Console(width=200)
    for condition in _values(rows, "condition"):
        console.print(_scores_table([row for row in rows if row["condition"] == condition]))
    console.print(_goals_table(rows))
    recovered = _recovered_table(rows)
    if recovered.row_count:
        console.print(recovered)


def _scores_table(rows: list[dict]) -> Table:
    table = Table(title=f"{rows[0]['condition']}: medians of lengths, means of shares")
    for heading in ("views", "method", "objects", "failed", *(c[0] for c in COLUMNS.values())):
        table.add_column(heading, justify="right")
    table.add_column("CPU s", justify="right")
    for views in _values(rows, "views"):
        for method in _values(rows, "method"):
            chosen = _chosen(rows, views=views, method=method)
            if chosen:
                failed = sum("error" in row for row in chosen)
                cells = [
                    form.format(total(_scores(chosen, name)))
                    for name, (_, total, form) in COLUMNS.items()
                ]
                seconds = np.median([row.get("cpu_seconds", np.nan) for row in chosen])
                head = [str(views), method, str(len(chosen)), str(failed)]
                table.add_row(*head, *cells, f"{seconds:.0f}")
        table.add_section()
    return table


def _goals_table(rows: list[dict]) -> Table:
    """Fall of the Chamfer distance against the instant mesh, object by object and of medians."""
    table = Table(title="Against the instant mesh of the first view, and against TSDF")
    for heading in (
        "condition",
        "views",
        "method",
        "objects",
        "fall of the median Chamfer",
        "median of the falls",
        "worse than instant",
        "F 5 % - TSDF's",
        "seen F 2 % - TSDF's",
    ):
        table.add_column(heading, justify="right")
    for condition in _values(rows, "condition"):
        for views in _values(rows, "views"):
            at = _chosen(rows, condition=condition, views=views)
            for method in _values(at, "method"):
                pairs = _pairs(at, "instant", method, "chamfer_rel")
                if method == "instant" or not len(pairs):
                    continue
                fall = 1 - np.median(pairs[:, 1]) / np.median(pairs[:, 0])
                falls = 1 - pairs[:, 1] / pairs[:, 0]
                leads = [
                    _pairs(at, "tsdf", method, name) for name in ("fscore_5pct", "seen_fscore_2pct")
                ]
                table.add_row(
                    *(condition, str(views), method, str(len(pairs))),
                    *(f"{fall:.0%}", f"{np.median(falls):.0%}", str(int((falls < -0.01).sum()))),
                    *(f"{np.mean(p[:, 1] - p[:, 0]):+.3f}" if len(p) else "-" for p in leads),
                )
            table.add_section()
    return table


def _recovered_table(rows: list[dict]) -> Table:
    """Share of what pose noise costs that the correction of cameras brings back.

    (loss without - loss with) / loss without, where a loss is the median Chamfer distance under
    pose noise less that of exact poses, both of the same objects.
    """
    table = Table(title="Loss due to pose noise, median Chamfer %, and how much is recovered")
    for heading in ("views", "objects", "exact", "noise, cameras kept", "corrected", "recovered"):
        table.add_column(heading, justify="right")
    for views in _values(rows, "views"):
        columns = [
            _by_object(_chosen(rows, views=views, condition=condition, method=method))
            for condition, method in (
                ("perfect", "recon_no_pose"),
                ("pose", "recon_no_pose"),
                ("pose", "recon"),
            )
        ]
        names = set.intersection(*(set(column) for column in columns))
        if names:
            exact, kept, corrected = (
                float(np.median([column[name]["chamfer_rel"] for name in names]))
                for column in columns
            )
            share = (kept - corrected) / max(kept - exact, 1e-9)
            cells = (f"{value:.2%}" for value in (exact, kept, corrected))
            table.add_row(str(views), str(len(names)), *cells, f"{share:.0%}")
    return table


def _pairs(rows: list[dict], first: str, second: str, name: str) -> np.ndarray:
    """A score of two methods on the same objects, (N, 2)."""
    left, right = (_by_object(_chosen(rows, method=method)) for method in (first, second))
    both = sorted(set(left) & set(right))
    return np.array([[left[key][name], right[key][name]] for key in both]).reshape(-1, 2)


def _by_object(rows: list[dict]) -> dict[str, dict]:
    return {row["object"]: row.get("scores", FAILED) for row in rows}


def _scores(rows: list[dict], name: str) -> list[float]:
    return [row.get("scores", FAILED)[name] for row in rows]


def _chosen(rows: Iterable[dict], **wanted: object) -> list[dict]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _values(rows: list[dict], key: str) -> list:
    """Values of a key in the order of their first row."""
    return list(dict.fromkeys(row[key] for row in rows))

# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: rows, their summary, a table for people, JSON for machines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from recon_node.evaluation.case import Case
from recon_node.evaluation.scores import PredictionScores

SHAPE_SUMMARIES = {
    "iou": ("mean", "median"),
    "chamfer_mm": ("median",),
    "chamfer_rel": ("median",),
    "fscore_2mm": ("mean",),
    "fscore_5mm": ("mean",),
    "fscore_10mm": ("mean",),
    "fscore_5pct": ("mean",),
    "normal_consistency": ("mean",),
}
OTHER_SUMMARIES = {
    "scale_error": ("median",),
    "sigma_coverage_90": ("mean",),
    "grasp_transfer": ("mean",),
}
TABLE_LINES = (
    ("views", "count", "{:.0f}"),
    ("failures", "failure_count", "{:.0f}"),
    ("IoU, mean", "iou_mean", "{:.3f}"),
    ("IoU, median", "iou_median", "{:.3f}"),
    ("IoU, mean without thin objects", "iou_mean_thick", "{:.3f}"),
    ("Chamfer, median, mm", "chamfer_mm_median", "{:.2f}"),
    ("Chamfer, median, % of longest side", "chamfer_rel_median", "{:.2%}"),
    ("F-score at 2 mm, mean", "fscore_2mm_mean", "{:.3f}"),
    ("F-score at 5 mm, mean", "fscore_5mm_mean", "{:.3f}"),
    ("F-score at 10 mm, mean", "fscore_10mm_mean", "{:.3f}"),
    ("F-score at 5 % of longest side, mean", "fscore_5pct_mean", "{:.3f}"),
    ("normal consistency, mean", "normal_consistency_mean", "{:.3f}"),
    ("scale error, median", "scale_error_median", "{:.2%}"),
    ("IoU after ICP, mean", "iou_mean_icp", "{:.3f}"),
    ("Chamfer after ICP, median, %", "chamfer_rel_median_icp", "{:.2%}"),
    ("F-score at 5 % after ICP, mean", "fscore_5pct_mean_icp", "{:.3f}"),
    ("watertight", "watertight_share", "{:.0%}"),
    ("grasp transfer, mean", "grasp_transfer_mean", "{:.3f}"),
    ("90 % interval covers, mean", "sigma_coverage_90_mean", "{:.3f}"),
    ("thin objects", "thin_share", "{:.0%}"),
    ("seconds a view, median", "seconds_median", "{:.3f}"),
)


@dataclass(frozen=True)
class Row:
    """One prediction and what it scored.

    Attributes:
        case: What the engine was asked.
        thin: Whether the true object is too thin for a volume measure to be fair.
        seconds: Time that the engine took.
        scores: What the prediction scored; the worst of everything where there is none.
        error: Why there is no prediction, None where there is one.
    """

    case: Case
    thin: bool
    seconds: float
    scores: PredictionScores
    error: str | None = None

    def to_json(self) -> dict[str, object]:
        """One flat mapping; what is infinite or undefined becomes None."""
        return _finite(
            {
                "object": self.case.truth.name,
                "view": self.case.view,
                "picture": self.picture,
                "condition": self.condition,
                "longest_m": self.case.truth.longest,
                "thin": self.thin,
                "seconds": self.seconds,
                **self.scores.to_json(),
                "error": self.error,
            }
        )

    @property
    def condition(self) -> str:
        """Name of the condition."""
        return self.case.condition.name

    @property
    def picture(self) -> str:
        """`plain` or `clutter`."""
        return self.case.picture.label


@dataclass(frozen=True)
class EvaluationReport:
    """All rows of one evaluation.

    Attributes:
        engine: Name of the engine.
        directory: What it was evaluated on.
        seed: Seed of all samplings.
        rows: One for each object, view, picture and condition, in that order.
    """

    engine: str
    directory: str
    seed: int
    rows: tuple[Row, ...]

    def summary(self) -> dict[str, dict[str, object]]:
        """Figures of each condition over all its rows; see `summarize`."""
        return {name: summarize(rows) for name, rows in self._groups("condition").items()}

    def to_json(self) -> dict[str, object]:
        """The report in the evaluation format, ready for `json.dumps`.

        Keys: `summary` by condition over all pictures; `summary_by_picture` by picture, then
        condition; `objects`, one mapping a row; `failures`, the rows with an error; `engine`,
        `directory`, `seed`.
        """
        by_picture = {
            picture: EvaluationReport(self.engine, self.directory, self.seed, rows).summary()
            for picture, rows in self._groups("picture").items()
        }
        rows = [row.to_json() for row in self.rows]
        return {
            "engine": self.engine,
            "directory": self.directory,
            "seed": self.seed,
            "summary": self.summary(),
            "summary_by_picture": by_picture,
            "failures": [row for row in rows if row["error"] is not None],
            "objects": rows,
        }

    def table(self) -> Table:
        """The summary for a terminal: a line a figure, a column a condition and picture."""
        columns = {}
        for condition, rows in self._groups("condition").items():
            group = EvaluationReport(self.engine, self.directory, self.seed, rows)
            pictures = group._groups("picture")
            for picture, its_rows in pictures.items():
                columns[f"{condition}\n{picture}"] = summarize(its_rows)
            if len(pictures) > 1:
                columns[f"{condition}\nall"] = summarize(rows)
        table = Table(title=f"engine {self.engine} on {self.directory}")
        table.add_column("")
        for name in columns:
            table.add_column(name, justify="right")
        for label, key, pattern in TABLE_LINES:
            values = [figures[key] for figures in columns.values()]
            table.add_row(label, *("–" if v is None else pattern.format(v) for v in values))
        return table

    def worst(self, condition: str, count: int = 10) -> tuple[Row, ...]:
        """The rows of a condition with the lowest IoU, worst first, at most one of each object."""
        worst: dict[str, Row] = {}
        for row in sorted(self.rows, key=lambda row: row.scores.shape.iou):
            if row.condition == condition:
                worst.setdefault(row.case.truth.name, row)
        return tuple(worst.values())[:count]

    def _groups(self, field: str) -> dict[str, tuple[Row, ...]]:
        names = dict.fromkeys(getattr(row, field) for row in self.rows)
        return {n: tuple(row for row in self.rows if getattr(row, field) == n) for n in names}


def summarize(rows: Sequence[Row]) -> dict[str, object]:
    """Figures over rows of one condition; a failure has the worst value of every shape score.

    The median of a distance is None where most rows failed. Scale error, grasp transfer and
    interval coverage are taken over the rows that have one.
    """
    scores = [row.scores for row in rows]
    figures: dict[str, object] = {
        "count": len(rows),
        "failure_count": sum(row.error is not None for row in rows),
        "thin_share": _mean(row.thin for row in rows),
        "iou_mean_thick": _mean(row.scores.shape.iou for row in rows if not row.thin),
        "watertight_share": _mean(score.watertight for score in scores),
        "seconds_median": _median(row.seconds for row in rows),
    }
    reduce = {"mean": _mean, "median": _median}
    for key, kinds in SHAPE_SUMMARIES.items():
        for kind in kinds:
            placed = (getattr(score.shape, key) for score in scores)
            aligned = (getattr(score.shape_icp, key) for score in scores)
            figures[f"{key}_{kind}"] = reduce[kind](placed)
            figures[f"{key}_{kind}_icp"] = reduce[kind](aligned)
    for key, kinds in OTHER_SUMMARIES.items():
        for kind in kinds:
            known = (getattr(s, key) for s in scores if getattr(s, key) is not None)
            figures[f"{key}_{kind}"] = reduce[kind](known)
    return _finite(figures)


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _median(values: Iterable[float]) -> float | None:
    values = sorted(values)
    if not values:
        return None
    # The lower and upper middle, not np.median: inf - inf inside it would give NaN.
    return float(0.5 * (values[(len(values) - 1) // 2] + values[len(values) // 2]))


def _finite(mapping: Mapping[str, object]) -> dict[str, object]:
    """The mapping with None for infinite and undefined numbers, which JSON has no word for."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in mapping.items()
    }

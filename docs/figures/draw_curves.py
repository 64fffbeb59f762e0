# SPDX-License-Identifier: Apache-2.0
"""Draws docs/figures/training.png from the logs of the training run: `python draw_curves.py`."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).parent.parent
LOGS = sorted((DOCS / "training").glob("*.csv"))


def read(column: str) -> tuple[list[float], list[float]]:
    """Thousands of samples and the column's values, over all logs that have it."""
    rows = [row for log in LOGS for row in csv.DictReader(log.open()) if row.get(column)]
    return [int(row["samples"]) / 1000 for row in rows], [float(row[column]) for row in rows]


def main() -> None:
    """Writes the figure."""
    figure, (loss, iou) = plt.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    for column, label in (
        ("occupancy", "occupancy"),
        ("overlap", "1 - overlap"),
        ("colour", "colour"),
    ):
        loss.plot(*read(column), label=label)
    loss.set(xlabel="thousand samples", ylabel="training loss", ylim=(0, 0.8))
    for column, label in (("val_iou_depth", "with depth"), ("val_iou_rgb", "without depth")):
        iou.plot(*read(column), label=label)
    iou.set(xlabel="thousand samples", ylabel="IoU on held-out objects", ylim=(0, 0.8))
    for axes in (loss, iou):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(DOCS / "figures" / "training.png", dpi=110)


if __name__ == "__main__":
    main()

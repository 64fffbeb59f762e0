# SPDX-License-Identifier: Apache-2.0
"""The evaluation protocol: every object, view, picture and condition through an engine, scored.

What the command line needs::

    from recon_node.evaluation.protocol import PICTURE_CHOICES, evaluate
    report = evaluate(directory, engine, pictures=PICTURE_CHOICES["both"], limit=None,
                      progress=lambda done, total: ...)   # -> EvaluationReport
    report.to_json()    # dict for json.dumps, keys of the evaluation format
    report.table()      # rich.table.Table
    from recon_node.evaluation.worst import draw_worst
    draw_worst(report, engine).save("worst.png")          # PIL.Image.Image; runs the engine again

Only single views are evaluated here: each view is one prediction. An engine that raises scores
IoU 0 for that row, and the row keeps the error; a folder that cannot be read raises.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.reconstruction import Engine, ScaleSource
from recon_node.evaluation.case import CONDITIONS, Case, Condition
from recon_node.evaluation.dataset import EvaluationObject, Picture, load_objects
from recon_node.evaluation.report import EvaluationReport, Row
from recon_node.evaluation.scores import PredictionScores, score_prediction

logger = logging.getLogger(__name__)

PICTURES = (Picture.PLAIN, Picture.CLUTTER)
PICTURE_CHOICES = {"plain": (Picture.PLAIN,), "clutter": (Picture.CLUTTER,), "both": PICTURES}


def evaluate(
    directory: str | Path,
    engine: Engine,
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    pictures: Sequence[Picture] = PICTURES,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationReport:
    """Scores of an engine on a folder in the evaluation format.

    Args:
        directory: A folder of object folders, or one object folder.
        engine: What is evaluated.
        conditions: `DEPTH`, `RGB` or both.
        pictures: Plain background, clutter or both.
        limit: Only the first so many objects, by folder name.
        seed: Seeds every sampling; the scores are reproducible, the seconds are not.
        progress: Called with (rows done, rows in all) after each row.

    Raises:
        InvalidInputError: The folder is not in the evaluation format, or the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidInputError(
            f"a limit of {limit} objects leaves nothing to evaluate; give 1 or more"
        )
    objects = load_objects(directory)[:limit]
    total = sum(truth.view_count for truth in objects) * len(pictures) * len(conditions)
    rows: list[Row] = []
    for listed in objects:
        truth = replace(listed)  # a copy, so that what it reads is dropped with it
        for case in _cases(listed, pictures, conditions):
            rows.append(_evaluate_case(case, truth, engine, seed))
            if progress is not None:
                progress(len(rows), total)
    return EvaluationReport(engine.name, str(directory), seed, tuple(rows))


def _cases(
    truth: EvaluationObject, pictures: Sequence[Picture], conditions: Sequence[Condition]
) -> Iterator[Case]:
    for view in range(truth.view_count):
        for picture in pictures:
            for condition in conditions:
                yield Case(truth, view, picture, condition)


def _evaluate_case(case: Case, truth: EvaluationObject, engine: Engine, seed: int) -> Row:
    view = case.read_view()
    error, scores = None, PredictionScores.of_failure()
    start = time.perf_counter()
    try:
        reconstruction = engine.reconstruct([view], object_id=case.truth.name)
    except Exception as raised:  # any failure of an engine is a result, and a bad one
        error = f"{type(raised).__name__}: {raised}"
        known = isinstance(raised, ReconstructionError)
        logger.warning("%s failed on %s: %s", engine.name, case, error, exc_info=not known)
    seconds = time.perf_counter() - start
    if error is None:
        scores = score_prediction(
            reconstruction.mesh,
            case.place(reconstruction),
            truth,
            case.condition,
            is_metric=reconstruction.scale_source is not ScaleSource.NONE,
            seed=seed,
        )
    return Row(case, truth.is_thin, seconds, scores, error)

# SPDX-License-Identifier: Apache-2.0
"""Down the quality ladder: only for what the hull can serve."""

import pytest

from recon_node.engines.errors import EmptyMaskError, EmptySurfaceError, WeightsError
from recon_node.engines.hull import HullEngine
from recon_node.engines.reconstruction import Stage
from recon_node.ladder import reconstruct_or_hull


class FailingEngine:
    """An engine that always raises the one error."""

    name = "compact"

    def __init__(self, error):
        self.error = error

    def reconstruct(self, views, *, object_id="object"):
        """Nothing."""
        raise self.error


@pytest.mark.parametrize("kind", [EmptySurfaceError, WeightsError])
def test_hull_serves_and_says_so(kind, ball):
    """Answer with the hull where the engine has no surface or no weights, and say so."""
    engine = FailingEngine(kind("the field is empty"))
    result = reconstruct_or_hull(engine, ball.view, object_id="cup")
    assert (result.engine, result.stage, result.object_id) == ("hull", Stage.HULL, "cup")
    (warning,) = result.warnings
    assert "'compact' gave no surface (the field is empty); the hull is used" in warning


def test_engine_serves_where_it_can(ball):
    """Leave a good result alone."""
    assert reconstruct_or_hull(HullEngine(), ball.view, object_id="cup").warnings == ()


def test_bug_of_an_engine_does_not_stop_the_robot(ball, caplog):
    """Answer with the hull where the engine breaks; the log has the traceback."""
    result = reconstruct_or_hull(FailingEngine(RuntimeError("a bug")), ball.view, object_id="cup")
    assert result.engine == "hull"
    assert "internal error: RuntimeError: a bug" in result.warnings[-1]
    assert "Traceback" in caplog.text and "'compact' failed on cup" in caplog.text


def test_bad_input_passes(ball):
    """Leave bad input to the caller: no rung could use it."""
    with pytest.raises(EmptyMaskError, match="no mask"):
        reconstruct_or_hull(FailingEngine(EmptyMaskError("no mask")), ball.view, object_id="cup")

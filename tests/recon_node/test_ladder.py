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


@pytest.mark.parametrize("error", [EmptyMaskError("no mask"), RuntimeError("a bug")])
def test_other_errors_pass(error, ball):
    """Hide neither bad input nor bugs."""
    with pytest.raises(type(error), match=str(error)):
        reconstruct_or_hull(FailingEngine(error), ball.view, object_id="cup")

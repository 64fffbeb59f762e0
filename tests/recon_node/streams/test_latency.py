# SPDX-License-Identifier: Apache-2.0
"""Percentiles of the last durations."""

import math

from recon_node.streams.latency import LatencyWindow


def test_percentiles_of_the_window():
    """Forget what is older than the window, stage by stage."""
    window = LatencyWindow(size=101)
    window.add({"crop": 1000.0, "total": 3.0})
    for number in range(101):
        window.add({"crop": number / 100})
    assert window.stages() == ("crop", "total")
    assert window.percentiles("crop") == (0.5, 0.9, 0.99)
    assert window.percentiles("total") == (3.0, 3.0, 3.0)


def test_unknown_stage():
    """Say NaN of a stage that never ran."""
    window = LatencyWindow()
    assert window.stages() == ()
    assert all(math.isnan(value) for value in window.percentiles("total"))

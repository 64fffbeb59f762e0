# SPDX-License-Identifier: Apache-2.0
"""Steps with rests between them while the instant path works."""

import time
from collections.abc import Callable

from recon_node.refinement.orders import Pace

# Of a rest / the step before it. Niceness cannot share out memory and caches: with rests of 0 the
# instant path's p50 and p99 grow by 12 to 19 per cent (tests/benchmarks/bench_node_refine.py).
REST = 2.0


class Pacer:
    """Is asked before every step whether to wait; knows from that how long steps take.

    Args:
        clock: Tells the time [s].

    Attributes:
        pace: What the node wishes for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.pace = Pace.GO
        self._clock = clock
        self._step_began: float | None = None
        self._rest_ends = -float("inf")

    def is_paused(self) -> bool:
        """Whether no step is to be made now; after False the caller makes one."""
        now = self._clock()
        if self._step_began is not None:
            self._rest_ends = now + REST * (now - self._step_began)
            self._step_began = None
        if self.pace is Pace.PAUSE or (self.pace is Pace.YIELD and now < self._rest_ends):
            return True
        self._step_began = now
        return False

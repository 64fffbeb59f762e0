# SPDX-License-Identifier: Apache-2.0
"""A field made to agree with what is known before the optimisation."""

from collections.abc import Iterator

import torch

from recon_node.engines.fields.adam import Adam
from recon_node.engines.fields.hash_sdf import HashSdfField
from recon_node.engines.refine.start_points import StartPoints

STEPS, BATCH = 250, 2048
LEVELS = 5  # of the encoding that are fitted: there are too few points to tell finer ones
TABLE_RATE, NETWORK_RATE, LAST = 1e-2, 5e-3, 0.05
NEAR = 0.05  # distance from the surface within which colours count [box unit]
DISTANCE_WEIGHT = 10.0  # of a distance's error beside a colour's


def split_parameters(
    field: HashSdfField,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """The learned rows of a field's encoding, and the other learned parameters but the density's.

    The two want different learning rates; how wide the density rises is scheduled.
    """
    table, network = [], []
    for name, parameter in field.named_parameters():
        if not name.startswith("conversion"):
            (table if name.endswith("table") else network).append(parameter)
    return table, network


class StartFit:
    """Adam on the mean absolute errors of distances and of colours near the surface.

    Args:
        field: To fit.
        start: What it is to say.
        generator: Source of the batches.
    """

    def __init__(self, field: HashSdfField, start: StartPoints, generator: torch.Generator):
        self._field, self._generator = field, generator
        self._points, self._sdf = torch.from_numpy(start.points), torch.from_numpy(start.sdf)
        self._colours = torch.from_numpy(start.colours)
        self._is_near = self._sdf.abs() < NEAR

    def steps(self) -> Iterator[None]:
        """The steps, one at a time."""
        table, network = split_parameters(self._field)
        optimiser = Adam([(table, TABLE_RATE), (network, NETWORK_RATE)])
        self._field.levels = LEVELS
        for step in range(STEPS):
            fall = 1.0 + (LAST - 1.0) * step / STEPS
            optimiser.rates = [fall * TABLE_RATE, fall * NETWORK_RATE]
            chosen = torch.randint(len(self._sdf), (BATCH,), generator=self._generator)
            sdf, colours = self._field.sdf_colour(self._points[chosen])
            off = (colours - self._colours[chosen]).abs().mean(dim=1)
            loss = DISTANCE_WEIGHT * (sdf - self._sdf[chosen]).abs().mean()
            loss = loss + (self._is_near[chosen] * off).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield
        self._field.levels = self._field.config.grid.levels

    @torch.no_grad()
    def error(self) -> float:
        """Median absolute error of distances near the surface [box unit]."""
        near = self._is_near.nonzero()[:, 0]
        return (self._field.sdf(self._points[near]) - self._sdf[near]).abs().median().item()

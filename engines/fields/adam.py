# SPDX-License-Identifier: Apache-2.0
"""Adam by torch's fused step, without `torch.optim.Adam`.

The first object of that class imports torch's compiler, which nothing here uses: 1.3 to 5 s of
processor time and 70 MB before the first step of a refinement.
"""

from collections.abc import Sequence

import torch
from torch.optim.adam import adam

_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.99
_LEAST = 1e-15  # as rows of a table that are rarely met have tiny gradients (Müller 2022)


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) for groups of parameters.

    Args:
        groups: Parameters, and the learning rate of each group.

    Attributes:
        rates: Learning rate of each group; may be changed between steps.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[torch.nn.Parameter], float]]):
        self._groups = [list(parameters) for parameters, _ in groups]
        self.rates = [rate for _, rate in groups]
        self._steps, self._means, self._squares = (
            {p: torch.zeros((), device=p.device) for p in self._parameters()},
            {p: torch.zeros_like(p) for p in self._parameters()},
            {p: torch.zeros_like(p) for p in self._parameters()},
        )

    def zero_grad(self) -> None:
        """Nothing; no parameter has a gradient afterwards."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Nothing; every parameter with a gradient has moved."""
        for group, rate in zip(self._groups, self.rates, strict=True):
            moved = [parameter for parameter in group if parameter.grad is not None]
            adam(
                moved,
                [parameter.grad for parameter in moved],
                [self._means[parameter] for parameter in moved],
                [self._squares[parameter] for parameter in moved],
                [],
                [self._steps[parameter] for parameter in moved],
                fused=True,
                amsgrad=False,
                maximize=False,
                weight_decay=0.0,
                lr=rate,
                beta1=_MEAN_DECAY,
                beta2=_SQUARE_DECAY,
                eps=_LEAST,
            )

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """What steps remember, not as copies; the learning rates are the caller's."""
        return {
            "steps": list(self._steps.values()),
            "means": list(self._means.values()),
            "squares": list(self._squares.values()),
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Takes copies of what steps of the same parameters remembered.

        Raises:
            ValueError: It is of another number of parameters.
            LookupError: It is no state of this class.
            RuntimeError: It is of parameters of other shapes.
        """
        for name, tensors in self.state_dict().items():
            for tensor, stored in zip(tensors, state[name], strict=True):
                tensor.copy_(stored)

    def _parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for group in self._groups for parameter in group]

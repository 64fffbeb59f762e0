# SPDX-License-Identifier: Apache-2.0
"""A torch module recorded as a CUDA graph: its thousand launches become one."""

import torch
from torch import Tensor, nn

_WARM_UP = 3  # calls before the recording, in which libraries choose their kernels


class CudaReplay:
    """Calls a module by replaying what it did on a CUDA device, for each shape of its inputs.

    The first call of a shape records. The answer is that of the module, in tensors that the next
    call of that shape overwrites.

    Args:
        module: Does the same whatever the values are: no sizes or branches that depend on them.
    """

    def __init__(self, module: nn.Module):
        self._module = module
        self._recordings: dict[tuple, tuple[torch.cuda.CUDAGraph, list[Tensor], object]] = {}

    def __call__(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._record(inputs)
        graph, places, outputs = self._recordings[shapes]
        for place, tensor in zip(places, inputs, strict=True):
            place.copy_(tensor)
        graph.replay()
        return outputs

    def _record(
        self, inputs: tuple[Tensor, ...]
    ) -> tuple[torch.cuda.CUDAGraph, list[Tensor], object]:
        places = [tensor.clone() for tensor in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                self._module(*places)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._module(*places)
        return graph, places, outputs

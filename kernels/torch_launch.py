# SPDX-License-Identifier: Apache-2.0
"""Kernels launched on torch's tensors, in the order of torch's own work."""

from collections.abc import Sequence

import torch
import warp as wp


def launch(
    kernel: wp.Kernel, dim: int | tuple[int, ...], arguments: Sequence, *, device: torch.device
) -> None:
    """Nothing; the kernel is queued where torch queues its work for that device.

    Args:
        kernel: one that needs no adjoint of Warp's.
        dim: how many threads.
        arguments: scalars and arrays of that device, in the kernel's order.
        device: that of the tensors behind the arrays; on CUDA its current stream is taken.
    """
    stream = wp.stream_from_torch(device) if device.type == "cuda" else None
    wp.launch(kernel, dim=dim, inputs=arguments, device=wp.device_from_torch(device), stream=stream)


def check_tensor(
    name: str,
    tensor: torch.Tensor,
    shape: Sequence[int | None],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Nothing, if a kernel can take the tensor.

    Args:
        name: what the message calls it.
        tensor: that the caller passed.
        shape: it has to have; None for a length of the caller's choice.
        device: where it has to be.
        dtype: of its numbers.

    Raises:
        ValueError: if it has another shape, type or device.
    """
    asked = ", ".join("any" if length is None else str(length) for length in shape)
    if len(tensor.shape) != len(shape) or any(
        length not in (None, found) for length, found in zip(shape, tensor.shape, strict=True)
    ):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; pass one of shape ({asked})")
    if tensor.dtype != dtype:
        raise ValueError(
            f"{name} has numbers of {tensor.dtype}, but the kernel reads {dtype}; "
            f"convert with {name}.to({dtype})"
        )
    if tensor.device != device:
        raise ValueError(
            f"{name} is on {tensor.device} and the first argument on {device}; "
            f"move it with {name}.to('{device}')"
        )

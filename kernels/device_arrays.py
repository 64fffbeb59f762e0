# SPDX-License-Identifier: Apache-2.0
"""Named float32 arrays on a device for code that wants addresses, filled from and read as NumPy."""

import numpy as np
import warp as wp


class DeviceArrays:
    """Arrays that stay where they are as long as their shape does.

    Args:
        device: Such as "cuda:0".
    """

    def __init__(self, device: str):
        self._device = wp.get_device(device)
        self._arrays: dict[str, wp.array] = {}

    @property
    def stream(self) -> int:
        """Handle of the CUDA stream that copies run on; 0 on the CPU."""
        return self._device.stream.cuda_stream if self._device.is_cuda else 0

    def put(self, name: str, values: np.ndarray) -> int:
        """Address of the array of that name, which has these values now."""
        address = self.reserve(name, values.shape)
        self._arrays[name].assign(np.ascontiguousarray(values, np.float32))
        return address

    def reserve(self, name: str, shape: tuple[int, ...]) -> int:
        """Address of the array of that name and shape, whatever it holds."""
        present = self._arrays.get(name)
        if present is None or present.shape != tuple(shape):
            self._arrays[name] = wp.empty(tuple(shape), dtype=wp.float32, device=self._device)
        return self._arrays[name].ptr

    def get(self, name: str) -> np.ndarray:
        """A copy of the array of that name, after everything on the stream is done."""
        return self._arrays[name].numpy().copy()


def compute_capability() -> str | None:
    """That of the first NVIDIA GPU, such as "8.9"; None where Warp finds none."""
    devices = wp.get_cuda_devices()
    return f"{devices[0].arch // 10}.{devices[0].arch % 10}" if devices else None

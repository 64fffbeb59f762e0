# SPDX-License-Identifier: Apache-2.0
"""The two networks of the compact model as a backend sees them: names of files and ports."""

from dataclasses import dataclass
from pathlib import Path

WEIGHTS_DIRECTORY = Path(__file__).parent / "weights"
WEIGHTS_FILE = "compact.safetensors"


@dataclass(frozen=True)
class Network:
    """One network as its callers see it.

    Attributes:
        name: Of the network in the weights.
        inputs: Names of its arrays, in order.
        outputs: Likewise.
        pointwise: Whether it answers any number of points, each by itself.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pointwise: bool = False

    @property
    def graph_file(self) -> str:
        """Name of its ONNX graph beside the weights."""
        return f"{self.name}.onnx"


ENCODER = Network("encoder", ("crop", "tan_half_fov"), ("front", "sides"))
DECODER = Network(
    "decoder",
    ("front", "sides", "crop", "tan_half_fov", "points"),
    ("sdf", "colours"),
    pointwise=True,
)

# SPDX-License-Identifier: Apache-2.0
"""A network as its callers and every backend see it: the names of its files and ports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """One network of a model.

    Attributes:
        name: Of the network in its model: that of the module, and of the graph's file.
        inputs: Names of its arrays, in order.
        outputs: Likewise.
        weights_file: Name of the safetensors file that holds the model's weights in a folder.
        torch_loader: Module and function that give the model in torch. The function takes the
            folder (or file) of the weights and `device`; the model has the network as an attribute.
        exporter: Two functions, as `torch_loader` names one: what gives the file of the weights for
            what the user calls them, and what exports that file to a folder; None: the weights are
            always a folder with graphs.
        pointwise: Whether it answers any number of points, each by itself.
        is_typed: Whether its module says itself which steps are computed in the type of its
            weights; else autocast decides.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights_file: str
    torch_loader: tuple[str, str]
    exporter: tuple[tuple[str, str], tuple[str, str]] | None = None
    pointwise: bool = False
    is_typed: bool = False

    @property
    def graph_file(self) -> str:
        """Name of its ONNX graph beside the weights."""
        return f"{self.name}.onnx"

# SPDX-License-Identifier: Apache-2.0
"""How a backend runs a network; each field is a parameter of the node and of the command line."""

from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.backends.cache_directory import cache_directory
from recon_node.engines.option import check_options, option


@dataclass(frozen=True)
class BackendOptions:
    """What may be chosen about a backend; the sentences are in the fields."""

    precision: str = option(
        "auto",
        "Numbers the network computes with; auto takes half precision where it is fast.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    provider: str = option(
        "auto",
        "Where onnxruntime and torch compute; auto takes the GPU where the installed package has "
        "one, tensorrt is ONNX Runtime's.",
        choices=("auto", "cpu", "cuda", "tensorrt"),
    )
    plan_directory: str = option(
        "", "Folder that keeps TensorRT's plans; empty: recon/plans in the user's cache."
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def plans(self) -> Path:
        """The folder that keeps TensorRT's plans."""
        chosen = self.plan_directory
        return Path(chosen).expanduser() if chosen else cache_directory() / "plans"

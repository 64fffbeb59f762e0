# SPDX-License-Identifier: Apache-2.0
"""When the node refines, and what it keeps for it; how it refines is `RefineConfig`'s."""

from dataclasses import dataclass
from enum import Enum

from recon_node.engines.option import check_options, option


class RefineMode(Enum):
    """When objects are refined."""

    OFF = "off"
    ON_REQUEST = "on_request"
    CONTINUOUS = "continuous"


@dataclass(frozen=True)
class RefinementConfig:
    """What is refined when; the sentences are in the fields."""

    mode: str = option(
        RefineMode.ON_REQUEST.value,
        "off keeps no keyframes, on_request refines what ~/refine asks for, continuous also every "
        "object that was seen from elsewhere since.",
        choices=tuple(mode.value for mode in RefineMode),
        live=True,
    )
    max_objects: int = option(
        8,
        "Objects with keyframes at most; the one not seen for longest loses its own.",
        low=1,
        high=1000,
    )
    checkpoint_directory: str = option(
        "~/.ros/recon/refine",
        "Folder that keeps the state of a refinement that was interrupted; empty: none is kept.",
    )

    def __post_init__(self) -> None:
        check_options(self)

# SPDX-License-Identifier: Apache-2.0
"""Everything that can be set on the node, gathered from what each part says about itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.keyframes.buffer import KeyframeConfig
from recon_node.engines.loading import EngineConfig
from recon_node.engines.option import Option, check_options, option, options_of
from recon_node.engines.refine.config import RefineConfig
from recon_node.messages.markers import MarkerColors
from recon_node.refinement.refinement_config import RefinementConfig
from recon_node.streams.change import ChangeConfig
from recon_node.streams.frame_join import JoinConfig
from recon_node.streams.identity import TrackingConfig

MARKER_TRIANGLES = 100_000
_PREFIX = "prefix"  # in the metadata of a part


@dataclass(frozen=True)
class InputConfig:
    """What the node listens to."""

    image_transport: str = option(
        "raw",
        "raw takes sensor_msgs/Image on `image`, compressed takes CompressedImage on "
        "`image/compressed`.",
        choices=("raw", "compressed"),
    )
    depth_mode: str = option(
        "auto",
        "required waits for the depth of every image, off never listens, auto waits where somebody "
        "publishes on `depth`.",
        choices=("auto", "required", "off"),
    )
    world_frame: str = option(
        "",
        "Frame of the results, through TF; empty: that of `camera_pose` where somebody publishes "
        "it, else the camera's.",
    )
    tf_timeout: float = option(
        0.5,
        "How long a frame waits for its camera pose or camera_info [s].",
        low=0.0,
        high=10.0,
        live=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class WorkConfig:
    """How often the engine runs."""

    min_interval: float = option(
        0.2,
        "Shortest time between two runs for one object; the newest frame waits meanwhile [s].",
        low=0.0,
        high=3600.0,
        live=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class OutputConfig:
    """What is published and written."""

    marker_triangle_limit: int = option(
        MARKER_TRIANGLES,
        "Markers up to this many triangles carry them; larger ones name a GLB, which rviz shows "
        "without vertex colours.",
        low=0,
        high=10_000_000,
        live=True,
    )
    mesh_resource: str = option(
        "file",
        "How a marker above the limit carries its GLB: file names one in mesh_directory, embedded "
        "puts it into the message (Foxglove; not rviz).",
        choices=("file", "embedded"),
        live=True,
    )
    marker_colors: str = option(
        "picture",
        "What the triangles of a marker show: the picture's colours, or what was seen and guessed.",
        choices=tuple(colors.value for colors in MarkerColors),
        live=True,
    )
    points_per_object: int = option(
        2000,
        "Points sampled on each object's surface for ~/points.",
        low=1,
        high=1_000_000,
        live=True,
    )
    save_directory: str = option(
        "~/.ros/recon", "The only folder that ~/save_mesh writes below; empty: saving is refused."
    )
    mesh_directory: str = option(
        "",
        "Folder that gets a GLB of each version (the last two stay), for planners that take paths; "
        "empty: a temporary one, used for large markers only.",
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class RunConfig:
    """How the node starts and reports."""

    autostart: bool = option(True, "Configure and activate without being told.")
    view_port: int = option(0, "Port of the live view in the browser; 0: none.", low=0, high=65535)
    diagnostics_period: float = option(
        1.0, "Time between two messages of ~/status and /diagnostics [s].", low=0.1, high=60.0
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class NodeConfig:
    """The configurations of all parts.

    Their field names are parameters of the node, those of refining with `refine.` before them.
    """

    engine: EngineConfig = field(default_factory=EngineConfig)
    backend: BackendOptions = field(default_factory=BackendOptions)
    input: InputConfig = field(default_factory=InputConfig)
    join: JoinConfig = field(default_factory=JoinConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    work: WorkConfig = field(default_factory=WorkConfig)
    change: ChangeConfig = field(default_factory=ChangeConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    refinement: RefinementConfig = field(
        default_factory=RefinementConfig, metadata={_PREFIX: "refine."}
    )
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig, metadata={_PREFIX: "refine."})
    refine: RefineConfig = field(default_factory=RefineConfig, metadata={_PREFIX: "refine."})
    run: RunConfig = field(default_factory=RunConfig)

    def values(self) -> dict[str, bool | int | float | str]:
        """The value of every parameter, by name, in order."""
        return {
            prefix + option_field.name: getattr(config, option_field.name)
            for prefix, config in self._parts().values()
            for option_field in dataclasses.fields(config)
        }

    def options(self) -> dict[str, Option]:
        """What is said about every parameter, by name, in order."""
        return {
            prefix + name: told
            for prefix, config in self._parts().values()
            for name, told in options_of(config).items()
        }

    def with_values(self, values: Mapping[str, bool | int | float | str]) -> NodeConfig:
        """The configuration with these parameters changed.

        Raises:
            ReconstructionError: A value has the wrong type or is out of range.
        """
        parts = {}
        for part, (prefix, config) in self._parts().items():
            names = [option_field.name for option_field in dataclasses.fields(config)]
            changed = {name: values[prefix + name] for name in names if prefix + name in values}
            parts[part] = dataclasses.replace(config, **changed)
        return NodeConfig(**parts)

    def _parts(self) -> dict[str, tuple[str, object]]:
        """What stands before the parameters of each part, and the part, by its name."""
        return {
            part.name: (part.metadata.get(_PREFIX, ""), getattr(self, part.name))
            for part in dataclasses.fields(self)
        }

# SPDX-License-Identifier: Apache-2.0
"""The node's configuration as ROS parameters: declared, described, checked when they change."""

from collections.abc import Callable

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from recon_node.engines.errors import ReconstructionError
from recon_node.engines.option import Option
from recon_node.node_config import NodeConfig


class Parameters:
    """The parameters of a node, kept in step with a `NodeConfig`.

    Args:
        node: Declares them.
        is_configured: Whether only live parameters may change now.
        changed: Called with the new configuration after a change.

    Raises:
        ReconstructionError: A value the node was started with is refused.
    """

    def __init__(
        self,
        node: Node,
        *,
        is_configured: Callable[[], bool],
        changed: Callable[[NodeConfig], None],
    ):
        self._is_configured, self._changed = is_configured, changed
        self._options = NodeConfig().options()
        given = {
            name: node.declare_parameter(
                name, default, descriptor_of(self._options[name], default)
            ).value
            for name, default in NodeConfig().values().items()
        }
        self.config = NodeConfig().with_values(given)
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        ours = {p.name: p.value for p in parameters if p.name in self._options}
        current = self.config.values()
        for name, value in ours.items():
            fixed = self._is_configured() and not self._options[name].live
            if fixed and value != current[name]:
                reason = (
                    f"{name} cannot change while the node is configured; clean it up first, set "
                    "it, and configure again (ros2 lifecycle set NODE cleanup)"
                )
                return SetParametersResult(successful=False, reason=reason)
        try:
            self.config = self.config.with_values(ours)
        except ReconstructionError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if ours:
            self._changed(self.config)
        return SetParametersResult(successful=True)


def descriptor_of(
    told: Option, default: bool | int | float | str, *, read_only: bool = False
) -> ParameterDescriptor:
    """What ROS is told about an option: description, range or choices.

    Args:
        told: The option.
        default: Its default, which has its type.
        read_only: Whether it cannot change once the node runs.
    """
    descriptor = ParameterDescriptor(description=told.description, read_only=read_only)
    if told.choices:
        descriptor.additional_constraints = f"one of: {', '.join(told.choices)}"
    elif type(default) is float:
        ends = {"from_value": float(told.low), "to_value": float(told.high)}
        descriptor.floating_point_range = [FloatingPointRange(**ends)]
    elif type(default) is int:
        descriptor.integer_range = [IntegerRange(from_value=told.low, to_value=told.high, step=1)]
    return descriptor

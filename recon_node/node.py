# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node `recon`: transitions, parameters, diagnostics. The pipeline does the work."""

import traceback
from collections.abc import Callable
from pathlib import Path

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from recon_node.diagnostics import Diagnostics, Snapshot
from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.triposr.source import is_repository
from recon_node.faults import FaultLog
from recon_node.node_config import NodeConfig
from recon_node.parameters import Parameters
from recon_node.pipeline import Pipeline

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ReconNode(LifecycleNode):
    """Reconstructs what a camera sees.

    unconfigured: only parameters and diagnostics. Configuring loads the engine in the worker.
    inactive: services answer, nothing is subscribed. active: frames become meshes.

    Args:
        node_arguments: Those of `rclpy.node.Node`, such as parameter_overrides.
    """

    def __init__(self, **node_arguments: object):
        self._state = "unconfigured"
        self._pipeline: Pipeline | None = None
        super().__init__("recon", **node_arguments)
        self._settings = Parameters(
            self, is_configured=lambda: self._pipeline is not None, changed=self._reconfigure
        )
        self._faults = FaultLog(self)
        self._diagnostics = Diagnostics(self, hardware_id=self.get_fully_qualified_name())
        self.create_timer(self._settings.config.run.diagnostics_period, self._report)
        self._survive_unknown_transitions()

    def start(self) -> None:
        """Configures and activates the node where `autostart` says so."""
        if self._settings.config.run.autostart and self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def close(self) -> None:
        """Ends everything, from any state, within a second or so."""
        self._tear_down()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begins to load the engine; fails where a parameter cannot work."""
        return self._transition("inactive", self._set_up)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribes; frames wait for an engine that still loads."""
        super().on_activate(state)  # lets the publishers publish
        returned = self._transition("active", self._pipeline.activate)
        if returned != _SUCCESS:
            super().on_deactivate(state)
        return returned

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes, drops what waits, answers the requests that wait."""
        returned = self._transition("inactive", self._pipeline.deactivate)
        super().on_deactivate(state)
        return returned

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the engine and everything else."""
        return self._transition("unconfigured", self._tear_down)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything, from any state."""
        return self._transition("finalized", self._tear_down)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything, so that the node can be configured again."""
        return self._transition("unconfigured", self._tear_down)

    def _transition(self, state: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Does what a transition is about. What it raises, rclpy would swallow."""
        try:
            action()
        except Exception as error:
            self._faults.record(f"cannot become {state}: {error}")
            self.get_logger().debug(traceback.format_exc())
            self._report()
            return _FAILURE
        self._state = state
        self._report()
        return _SUCCESS

    def _set_up(self) -> None:
        config = self._settings.config
        weights = config.engine.weights
        if weights and not (Path(weights).exists() or is_repository(weights)):
            raise WeightsError(f"there is nothing at {weights}; correct the parameter weights")
        self._pipeline = Pipeline(
            self, config, faults=self._faults, latency=self._diagnostics.latency
        )

    def _tear_down(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def _reconfigure(self, config: NodeConfig) -> None:
        if self._pipeline is not None:
            self._pipeline.reconfigure(config)

    def _report(self) -> None:
        state, pipeline = self._state, self._pipeline
        snapshot = Snapshot(state) if pipeline is None else pipeline.snapshot(state)
        self._diagnostics.publish(snapshot, self._faults.last)

    def _survive_unknown_transitions(self) -> None:
        """Makes a transition that the state does not have an answer, not the end of the node."""
        service = self._service_change_state
        change_state = service.callback

        def answer(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            try:
                return change_state(request, response)
            except Exception as error:  # rclpy#1209: it would leave the executor
                self._faults.record(f"no such transition in the state {self._state}: {error}")
                response.success = False
                return response

        service.callback = answer

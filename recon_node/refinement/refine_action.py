# SPDX-License-Identifier: Apache-2.0
"""The action ~/refine. Needs rclpy."""

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future
from recon.action import Refine

from recon_node.engines.errors import ReconstructionError
from recon_node.messages.object_meshes import object_mesh
from recon_node.refinement.orders import Ended, Report
from recon_node.refinement.refinement import Refinement
from recon_node.refinement.turns import News, Request
from recon_node.streams.object_store import ObjectStore


class RefineAction:
    """Serves goals, all in the executor's thread.

    A goal that cannot be served is accepted and aborted at once, because ROS lets nobody say why
    a goal is rejected. A second goal for an object joins the first: both hear the same, and the
    work ends when both are cancelled.

    Args:
        node: Serves.
        refinement: Does what is asked for.
        store: The objects.
    """

    def __init__(self, node: Node, refinement: Refinement, store: ObjectStore):
        self._node, self._refinement, self._store = node, refinement, store
        self._waiting: dict[Request, list[tuple[ServerGoalHandle, Future]]] = {}
        self._wake = node.create_guard_condition(self._let_go)
        self._server = ActionServer(
            node,
            Refine,
            "~/refine",
            execute_callback=self._execute,
            cancel_callback=self._on_cancel,
        )

    def deliver(self, news: News) -> None:
        """Tells those who asked for it what happened."""
        request = news.request
        if request not in self._waiting:
            return
        if news.report is not None:
            feedback = self._feedback(request, news.report)
            for goal, _ in self._waiting[request]:
                goal.publish_feedback(feedback)
        if news.ended is not None:
            for _, future in self._waiting.pop(request):
                future.set_result(news)

    def close(self) -> None:
        """Stops serving."""
        self._server.destroy()
        self._node.destroy_guard_condition(self._wake)

    async def _execute(self, goal: ServerGoalHandle) -> Refine.Result:
        asked, future = goal.request, Future(executor=self._node.executor)
        try:
            request = self._refinement.request(asked.object_id, asked.budget_s)
        except ReconstructionError as error:
            goal.abort()
            return Refine.Result(message=str(error))
        self._waiting.setdefault(request, []).append((goal, future))
        self._let_go()  # it may have been cancelled before
        news: News = await future
        if goal.is_cancel_requested:
            goal.canceled()
        elif news.ended.is_error:
            goal.abort()
        else:
            goal.succeed()
        result = Refine.Result(success=news.is_better, message=news.ended.message)
        if asked.object_id in self._store.ids():
            result.object = object_mesh(self._store.get(asked.object_id))
        return result

    def _on_cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        """Accepts; the goal is not yet being cancelled while this runs."""
        self._wake.trigger()
        return CancelResponse.ACCEPT

    def _let_go(self) -> None:
        """Ends the goals that are cancelled, and the requests that nobody waits for any more."""
        for request, waiting in list(self._waiting.items()):
            wanted = [each for each in waiting if not each[0].is_cancel_requested]
            if not wanted:
                self._refinement.withdraw(request)
                continue
            for _, future in (each for each in waiting if each not in wanted):
                ended = Ended("cancelled; the refinement goes on for another goal")
                future.set_result(News(request, ended=ended))
            self._waiting[request] = wanted

    def _feedback(self, request: Request, report: Report) -> Refine.Feedback:
        is_known = request.object_id in self._store.ids()
        newest = self._store.get(request.object_id).result.version if is_known else 0
        return Refine.Feedback(
            step=report.step,
            version=newest,
            elapsed_s=float(report.elapsed_s),
            budget_s=float(report.budget_s),
            psnr=float(report.psnr),
            loss_names=list(report.losses),
            losses=list(report.losses.values()),
        )

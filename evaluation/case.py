# SPDX-License-Identifier: Apache-2.0
"""A case of the evaluation: one view of an object, one of its pictures, one condition."""

from dataclasses import dataclass

from recon_node.engines.camera import View
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import Similarity, invert
from recon_node.evaluation.alignment import RIGID, SCALE_TRANSLATION, SIMILARITY, Freedom
from recon_node.evaluation.dataset import EvaluationObject, Picture


@dataclass(frozen=True)
class Condition:
    """What an engine is given, and how its answer is placed before it is scored.

    Attributes:
        name: Key of the summary.
        with_depth: Whether the view has its depth.
        alignment: What is aligned before the first scores; None scores the answer where it is.
        icp: What ICP may change for the scores with the suffix `_icp`.
    """

    name: str
    with_depth: bool
    alignment: Freedom | None
    icp: Freedom


DEPTH = Condition("depth", with_depth=True, alignment=None, icp=RIGID)
RGB = Condition("rgb", with_depth=False, alignment=SCALE_TRANSLATION, icp=SIMILARITY)
CONDITIONS = (DEPTH, RGB)


@dataclass(frozen=True, eq=False)
class Case:
    """One question to an engine.

    Attributes:
        truth: The object.
        view: Index of the view.
        picture: Which of its pictures is shown.
        condition: What else is given.
    """

    truth: EvaluationObject
    view: int
    picture: Picture
    condition: Condition

    def __str__(self) -> str:
        return f"{self.truth.name}, view {self.view}, {self.picture.label}, {self.condition.name}"

    def read_view(self) -> View:
        """What the engine is given; its world is the camera."""
        return self.truth.view(self.view, self.picture, with_depth=self.condition.with_depth)

    def place(self, reconstruction: Reconstruction) -> Similarity:
        """`S_object_mesh`, which places the answer, unaligned, in the frame of the true object."""
        T_object_camera = invert(self.truth.T_camera_object[self.view])
        return Similarity.from_transform(T_object_camera @ reconstruction.T_world_object)

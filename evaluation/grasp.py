# SPDX-License-Identifier: Apache-2.0
"""Grasp transfer: whether grasps that a planner finds on a prediction hold on the true object."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.transforms import Similarity
from recon_node.evaluation.geometry import sample_surface
from recon_node.evaluation.solid import Solid

FRICTION = 0.5
JAW = 0.080  # widest opening [m]
CLEARANCE = 0.020  # opening beyond the width of what is grasped [m]
FINGER_RADIUS = 0.007  # [m]
FINGER_REACH = 0.010  # how far the fingertips stand beyond the line between the contacts [m]
FINGER_LENGTH = 0.040  # [m]
PALM_RADIUS = 0.012  # [m]


@dataclass(frozen=True, eq=False)
class Grasps:
    """Parallel-jaw grasps.

    Attributes:
        centres: Middle between the two fingers, f64 (N, 3) [m].
        axes: Unit closing direction, f64 (N, 3).
        approaches: Unit direction the hand comes along, across the axes, f64 (N, 3).
        openings: Distance between the finger pads before closing, f64 (N,) [m].
    """

    centres: np.ndarray
    axes: np.ndarray
    approaches: np.ndarray
    openings: np.ndarray

    def __len__(self) -> int:
        return len(self.centres)

    def select(self, chosen: np.ndarray) -> "Grasps":
        """The grasps of an index or boolean array."""
        return Grasps(
            self.centres[chosen], self.axes[chosen], self.approaches[chosen], self.openings[chosen]
        )

    def placed(self, S_a_b: Similarity) -> "Grasps":
        """The same grasps in frame a; the hand keeps its size, so the scale has to be 1."""
        return Grasps(
            S_a_b.apply(self.centres),
            self.axes @ S_a_b.R.T,
            self.approaches @ S_a_b.R.T,
            self.openings,
        )


def grasp_transfer(
    prediction: Solid,
    truth: Solid,
    S_truth_prediction: Similarity,
    *,
    rng: np.random.Generator,
    candidate_count: int = 300,
    grasp_count: int = 50,
) -> float | None:
    """Share of the grasps found on the prediction that hold, without collision, on the truth.

    A grasp holds where the fingers, closing on a line, meet the object on both sides with normals
    inside the friction cone (antipodal: Nguyen 1988), and the open hand, a chain of spheres for
    each finger and the palm, touches nothing.

    Args:
        prediction: The prediction in its own frame [m].
        truth: The true mesh [m].
        S_truth_prediction: Places the prediction; its scale is taken as 1.
        rng: Draws contacts, closing directions and approaches.
        candidate_count: Contacts drawn on the prediction.
        grasp_count: At most so many of the grasps found are tried on the truth.

    Returns:
        Share in [0, 1]; None where the prediction offers no grasp.
    """
    candidates = propose_grasps(prediction, candidate_count, rng=rng)
    found = candidates.select(grasps_hold(prediction, candidates))
    found = found.select(np.arange(min(len(found), grasp_count)))
    if len(found) == 0:
        return None
    return float(np.mean(grasps_hold(truth, found.placed(S_truth_prediction))))


def propose_grasps(solid: Solid, count: int, *, rng: np.random.Generator) -> Grasps:
    """Grasps through random surface points, closing inside the friction cone of the first contact.

    Args:
        solid: What is to be grasped [m].
        count: Points drawn; those whose opposite side is farther than the jaw give no grasp.
        rng: Draws points, closing directions and approaches.
    """
    samples = sample_surface(solid.mesh, count, rng=rng)
    tangent = _across(samples.normals, rng)
    slope = FRICTION * np.sqrt(rng.random((count, 1)))  # uniform over the disc of the cone
    axes = _unit(slope * tangent - samples.normals)
    start = samples.points + 1e-5 * axes
    widths = solid.caster.cast(start, axes).distances
    fits = widths < JAW
    axes, widths = axes[fits], widths[fits]
    return Grasps(
        centres=samples.points[fits] + 0.5 * widths[:, None] * axes,
        axes=axes,
        approaches=_across(axes, rng),
        openings=np.minimum(widths + CLEARANCE, JAW),
    )


def grasps_hold(solid: Solid, grasps: Grasps) -> np.ndarray:
    """Whether each grasp closes on antipodal contacts and the open hand is free, bool (N,)."""
    if len(grasps) == 0:
        return np.zeros(0, bool)
    cone = 1.0 / np.sqrt(1.0 + FRICTION**2)
    closes = np.ones(len(grasps), bool)
    travelled = np.zeros(len(grasps))
    for side in (-1.0, 1.0):
        pads = grasps.centres + 0.5 * side * grasps.openings[:, None] * grasps.axes
        hits = solid.caster.cast(pads, -side * grasps.axes)
        cosines = np.abs(np.sum(solid.face_normals[hits.faces] * grasps.axes, axis=1))
        closes &= (hits.faces >= 0) & (cosines >= cone)
        travelled += hits.distances
    closes &= travelled < grasps.openings
    closes[closes] = _hand_is_free(solid, grasps.select(closes))
    return closes


def _hand_is_free(solid: Solid, grasps: Grasps) -> np.ndarray:
    """Whether no sphere of the open hand meets the solid, bool (N,)."""
    if len(grasps) == 0:
        return np.zeros(0, bool)
    along = np.linspace(FINGER_REACH - FINGER_LENGTH, FINGER_REACH, 5)
    spread = 0.5 * grasps.openings[:, None] + FINGER_RADIUS  # (N, 1)
    back = FINGER_REACH - FINGER_LENGTH - PALM_RADIUS
    free = np.ones(len(grasps), bool)
    chains = [(side * spread, depth, FINGER_RADIUS) for side in (-1.0, 1.0) for depth in along]
    chains += [(side * spread, back, PALM_RADIUS) for side in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    for offset, depth, radius in chains:
        centres = grasps.centres + offset * grasps.axes + depth * grasps.approaches
        free &= solid.caster.signed_distance(centres) > radius
    return free


def _across(directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random unit vector at a right angle to each direction, (N, 3)."""
    return _unit(np.cross(directions, rng.standard_normal(directions.shape)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

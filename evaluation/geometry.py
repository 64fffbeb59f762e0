# SPDX-License-Identifier: Apache-2.0
"""Measures of a predicted shape against the true one: distances between surfaces, shared volume.

Every measure takes the similarity `S_truth_prediction` and moves points through it, so search trees
and acceleration structures are built once per prediction, however it is aligned.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recon_node.engines import surface_samples
from recon_node.engines.errors import InvalidInputError, require_package
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.solid import Solid

cKDTree = require_package("scipy.spatial", extra="evaluation").cKDTree


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Points on a surface.

    Attributes:
        points: f64 (N, 3) [m].
        normals: Unit, outward, f64 (N, 3).
    """

    points: np.ndarray
    normals: np.ndarray

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree over `points`, made at the first query."""
        return cKDTree(self.points)

    @cached_property
    def rms_radius(self) -> float:
        """Root mean square distance to the centroid [m]: the size that the scale error compares."""
        return float(np.sqrt(self.points.var(axis=0).sum()))

    def first(self, count: int) -> "SurfaceSamples":
        """The first `count` samples; as samples are in random order, a fair thinner sampling."""
        return SurfaceSamples(self.points[:count], self.normals[:count])


def sample_surface(mesh: Mesh, count: int, *, rng: np.random.Generator) -> SurfaceSamples:
    """Area-weighted samples of a triangle mesh, independent and uniform over its surface.

    Args:
        mesh: The surface [m].
        count: Number of samples.
        rng: Source of randomness; the same state gives the same samples.

    Raises:
        EmptySurfaceError: The mesh has no face of positive area.
    """
    drawn = surface_samples.sample_surface(mesh, count, rng=rng)
    return SurfaceSamples(drawn.positions, drawn.normals.astype(np.float64))


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Nearest distances between two sampled surfaces.

    Attributes:
        prediction_to_truth: From each predicted sample to the nearest true one, f64 (N,) [m].
        truth_to_prediction: From each true sample to the nearest predicted one, f64 (M,) [m].
        normal_consistency: Mean |cosine| between the normals of those pairs, both ways averaged
            (Mescheder 2019, suppl. eq. 3). Absolute, because open true meshes have no outside.
    """

    prediction_to_truth: np.ndarray
    truth_to_prediction: np.ndarray
    normal_consistency: float

    @property
    def chamfer(self) -> float:
        """Mean of the two mean nearest distances [m]."""
        return 0.5 * float(self.prediction_to_truth.mean() + self.truth_to_prediction.mean())

    def fscore(self, threshold: float) -> float:
        """Harmonic mean of precision and recall at a distance [m] (Knapitsch 2017, eq. 3-5)."""
        precision = float(np.mean(self.prediction_to_truth <= threshold))
        recall = float(np.mean(self.truth_to_prediction <= threshold))
        return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def surface_distances(
    prediction: SurfaceSamples,
    truth: SurfaceSamples,
    S_truth_prediction: Similarity | None = None,
) -> SurfaceDistances:
    """Nearest distances between a prediction placed in the truth's frame and the truth.

    Args:
        prediction: Samples in the prediction's frame.
        truth: Samples in the truth's frame [m].
        S_truth_prediction: Places the prediction; identity if not given.
    """
    S = Similarity.identity() if S_truth_prediction is None else S_truth_prediction
    forward, nearest_truth = truth.tree.query(S.apply(prediction.points))
    backward, nearest_prediction = prediction.tree.query(S.inverse().apply(truth.points))
    normals = prediction.normals @ S.R.T
    forward_cosines = np.sum(normals * truth.normals[nearest_truth], axis=1)
    backward_cosines = np.sum(normals[nearest_prediction] * truth.normals, axis=1)
    consistency = 0.5 * (np.abs(forward_cosines).mean() + np.abs(backward_cosines).mean())
    return SurfaceDistances(forward, backward * S.scale, float(consistency))


@dataclass(frozen=True, eq=False)
class OccupancySamples:
    """Uniform random points of a box and whether each is inside the true object.

    Attributes:
        points: f64 (N, 3) [m], uniform in an axis-aligned box that holds the whole object.
        occupied: bool (N,).
    """

    points: np.ndarray
    occupied: np.ndarray

    def __post_init__(self):
        if self.points.shape != (len(self.occupied), 3) or len(self.occupied) == 0:
            raise InvalidInputError(
                f"occupancy needs points (N, 3) and as many flags, got {self.points.shape} and "
                f"{self.occupied.shape}; check vol_points and vol_occ"
            )

    def first(self, count: int) -> "OccupancySamples":
        """The first `count` samples; as they are in random order, a fair thinner sampling."""
        return OccupancySamples(self.points[:count], self.occupied[:count])

    @cached_property
    def box(self) -> np.ndarray:
        """Lower and upper corner of the sampled box, f64 (2, 3) [m]."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    @property
    def density(self) -> float:
        """Samples per cubic metre."""
        return len(self.points) / float(np.prod(self.box[1] - self.box[0]))

    @property
    def volume(self) -> float:
        """Estimated volume of the true object [m^3]."""
        return float(self.occupied.sum()) / self.density


def volume_iou(
    prediction: Solid,
    truth: OccupancySamples,
    S_truth_prediction: Similarity,
    *,
    rng: np.random.Generator,
    outside_count: int = 2000,
) -> float:
    """Intersection over union of two volumes, in [0, 1].

    The prediction is inside where its generalised winding number says so. What it fills outside the
    truth's box counts too: the union grows by (share of filled points outside) x (volume sampled),
    so a prediction cannot hide volume where the truth was never sampled.

    Args:
        prediction: The prediction in its own frame.
        truth: Occupancy in the truth's frame [m].
        S_truth_prediction: Places the prediction.
        rng: Draws the points outside the truth's box.
        outside_count: Points drawn in the prediction's box; those in the truth's box are not used.
    """
    S_prediction_truth = S_truth_prediction.inverse()
    filled = prediction.contains(S_prediction_truth.apply(truth.points))
    intersection = float(np.sum(filled & truth.occupied))
    union = float(np.sum(filled | truth.occupied))

    lower, upper = prediction.box
    candidates = lower + rng.random((outside_count, 3)) * (upper - lower)
    placed = S_truth_prediction.apply(candidates)
    outside = np.any((placed < truth.box[0]) | (placed > truth.box[1]), axis=1)
    if outside.any():
        filled_outside = np.sum(prediction.contains(candidates[outside]))
        box_volume = float(np.prod(upper - lower)) * S_truth_prediction.scale**3
        union += float(filled_outside) / outside_count * box_volume * truth.density
    return intersection / union if union > 0 else 0.0


def wall_thickness(occupancy: OccupancySamples, surface: SurfaceSamples) -> float:
    """Typical thickness of an object [m]: 4 x the median depth of a point inside it.

    Between two parallel walls a distance w apart the depth of a random inside point is uniform in
    [0, w/2], so its median is w/4: exact for plates, a fair measure for the rest.
    """
    inside = occupancy.points[occupancy.occupied]
    if len(inside) == 0:
        return 0.0
    return 4.0 * float(np.median(surface.tree.query(inside)[0]))

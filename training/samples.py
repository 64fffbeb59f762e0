# SPDX-License-Identifier: Apache-2.0
"""Training samples of the compact model: a rendered crop and labelled canonical points."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from recon_node.engines import canonical
from recon_node.engines.crop import CROP_SIZE
from recon_node.engines.crop_depth import NEAREST_PERCENTILE
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import Similarity
from recon_node.training.appearance import Appearance, linear_to_srgb
from recon_node.training.collection import Collection, sample_procedural, vary
from recon_node.training.scene import Scene, sample_pose
from recon_node.training.sensor import photograph, ragged, stereo_depth

NEAR_POINTS = 2048
SILHOUETTE_POINTS = 1536
EVEN_POINTS = 512
_VISIBLE_MINIMUM = 60


@dataclass(frozen=True, eq=False)
class Sample:
    """One crop with its labelled points.

    Attributes:
        crop: Network input, f32 (6, S, S): sRGB, mask, canonical depth, depth known.
        tan_half_fov: Tangent of half the crop's field of view.
        points: Canonical, f32 (N, 3).
        sdf: Signed distance in half sizes of the cube, negative inside, f32 (N,).
        colours: sRGB in [0, 1] of the nearest surface point, f32 (N, 3).
    """

    crop: np.ndarray
    tan_half_fov: np.float32
    points: np.ndarray
    sdf: np.ndarray
    colours: np.ndarray

    def thinned(self, count: int, rng: np.random.Generator) -> "Sample":
        """The same crop with `count` of its points, mirrored left to right half of the time.

        The first half of the points comes evenly from the volume, the second from near the
        surface.
        """
        near = rng.choice(NEAR_POINTS, count // 2, replace=False)
        volume = rng.choice(np.arange(NEAR_POINTS, len(self.points)), count - len(near), False)
        chosen = np.concatenate([volume, near])
        points, crop = self.points[chosen], self.crop
        if rng.uniform() < 0.5:
            crop = np.ascontiguousarray(crop[:, :, ::-1])
            points = points * np.array([1.0, -1.0, 1.0], np.float32)
        return Sample(crop, self.tan_half_fov, points, self.sdf[chosen], self.colours[chosen])

    def in_silhouette(self) -> "Sample":
        """The same crop with only the points that were drawn evenly behind the mask."""
        chosen = slice(NEAR_POINTS, NEAR_POINTS + SILHOUETTE_POINTS)
        return Sample(
            self.crop,
            self.tan_half_fov,
            self.points[chosen],
            self.sdf[chosen],
            self.colours[chosen],
        )


@dataclass(frozen=True)
class SampleOptions:
    """What to render.

    Attributes:
        procedural: Share of procedural shapes.
        depth_dropped: Share of samples without depth.
        points: Points of a sample that reach the trainer.
        reuse: Times a rendered view is shown, each time with other points.
        shuffle: Views among which the repeats of one view are spread.
    """

    procedural: float = 0.35
    depth_dropped: float = 0.4
    points: int = 2048
    reuse: int = 4
    shuffle: int = 256

    def __post_init__(self) -> None:
        for name in ("procedural", "depth_dropped"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)}; it is a share, from 0 to 1"
                )
        most = {"points": 2 * min(NEAR_POINTS, SILHOUETTE_POINTS + EVEN_POINTS)}
        for name in ("points", "reuse", "shuffle"):
            if not 1 <= getattr(self, name) <= most.get(name, np.inf):
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)}; it must be at least 1"
                    + (f" and at most {most[name]}" if name in most else "")
                )


class SampleSource:
    """Renders samples on demand; sample `index` of a seed is always the same.

    Args:
        data: Folder of the collection, the textures and the environment maps.
        options: What to render.
        held_out: Show the objects held out for validation instead of the others.
    """

    def __init__(
        self,
        data: Path,
        options: SampleOptions,
        *,
        held_out: bool = False,
    ):
        self._collection = Collection(data, held_out=held_out)
        self._appearance = Appearance(data)
        self._options = options

    def sample(self, rng: np.random.Generator) -> Sample:
        """One rendered sample with all its points; objects out of sight are drawn again."""
        while True:
            if rng.uniform() < self._options.procedural:
                obj = vary(sample_procedural(rng), rng)
            else:
                obj = vary(self._collection.sample(rng), rng)
            scene = Scene(obj, sample_pose(obj.vertices, rng), self._appearance, rng)
            sample = picture_sample(scene, rng, depth_dropped=self._options.depth_dropped)
            if sample is not None:
                return sample


def picture_sample(
    scene: Scene, rng: np.random.Generator, *, depth_dropped: float
) -> Sample | None:
    """The sample of one scene; None where almost nothing of the object is seen."""
    picture = scene.picture(CROP_SIZE, rng)
    if picture.mask.sum() < _VISIBLE_MINIMUM:
        return None
    q = scene.pose.tan_half_fov
    nearest = np.percentile(picture.depth[picture.mask], NEAREST_PERCENTILE)
    distance = canonical.distance_from_nearest(nearest, q)
    depth = canonical.depth_to_canonical(picture.depth, distance, q)
    depth = stereo_depth(depth, picture.mask, rng)
    mask = ragged(picture.mask, rng)
    known = np.isfinite(depth) & (mask > 0.5)
    if rng.uniform() < depth_dropped:
        known[:] = False
    crop = np.concatenate(
        [
            photograph(picture.image, rng).transpose(2, 0, 1),
            mask[None],
            np.where(known, depth, 0.0)[None],
            known[None],
        ]
    ).astype(np.float32)
    S_crop_canonical = canonical.placement(distance, q)
    points = _sample_points(scene, picture.mask, S_crop_canonical, rng)
    local = S_crop_canonical.apply(points).astype(np.float32)
    hits = scene.caster.signed_closest(local)
    colours = linear_to_srgb(scene.colours(local, hits) * picture.gain)
    sdf = (hits.distances / S_crop_canonical.scale).astype(np.float32)
    return Sample(crop, np.float32(q), points, sdf, colours)


def _sample_points(
    scene: Scene, mask: np.ndarray, S_crop_canonical: Similarity, rng: np.random.Generator
) -> np.ndarray:
    """Canonical points, f32 (N, 3): near the surface, behind the mask, anywhere in the cube."""
    a, b, c = (scene.vertices[scene.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    face = rng.choice(len(area), NEAR_POINTS, p=area / area.sum())
    r1, r2 = np.sqrt(rng.uniform(size=(NEAR_POINTS, 1))), rng.uniform(size=(NEAR_POINTS, 1))
    surface = (1 - r1) * a[face] + r1 * (1 - r2) * b[face] + r1 * r2 * c[face]
    surface = S_crop_canonical.inverse().apply(surface)
    spread = rng.choice([0.01, 0.03, 0.1], (NEAR_POINTS, 1), p=[0.3, 0.35, 0.35])
    surface += spread * rng.standard_normal((NEAR_POINTS, 3))
    pixels = np.argwhere(mask)[rng.integers(np.count_nonzero(mask), size=SILHOUETTE_POINTS), ::-1]
    uv = (pixels + rng.uniform(size=(SILHOUETTE_POINTS, 2))) * (2.0 / len(mask)) - 1.0
    x = rng.uniform(-1.0, 1.0, SILHOUETTE_POINTS)
    behind = canonical.image_to_points(uv, x, scene.pose.tan_half_fov)
    anywhere = rng.uniform(-1.0, 1.0, (EVEN_POINTS, 3))
    points = np.concatenate([surface, behind, anywhere])
    return np.clip(points, -1.0, 1.0).astype(np.float32)


class SampleStream(IterableDataset):
    """Endless stream of samples from a place in the sequence of a seed.

    A stream continued at p gives what an uninterrupted one would have, with as many workers.

    Args:
        source: Renders the views.
        options: As the source's.
        seed: Of the whole sequence.
        start: Samples that were taken before, a multiple of `batch`.
        batch: Samples that a loader takes from one worker in a row.
    """

    def __init__(
        self,
        source: SampleSource,
        options: SampleOptions,
        *,
        seed: int,
        start: int = 0,
        batch: int = 1,
    ):
        super().__init__()
        self._source, self._options, self._seed = source, options, seed
        self._start, self._batch = start, batch

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        share = (info.id, info.num_workers) if info else (0, 1)
        views = self._options.shuffle
        current, rendered = -1, {}
        for block, position in shuffled_places(
            self._options, self._seed, self._start, self._batch, *share
        ):
            if block != current:
                current, rendered = block, {}
            view = block * views + position % views
            if view not in rendered:
                rng = np.random.default_rng([self._seed, 2, view])
                rendered[view] = self._source.sample(rng)
            number = block * views * self._options.reuse + position
            rng = np.random.default_rng([self._seed, 3, number])
            yield rendered[view].thinned(self._options.points, rng)


def shuffled_places(
    options: SampleOptions, seed: int, start: int, batch: int, worker: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Which sample comes when: the block, and the position in it, endlessly.

    A block holds `shuffle` views `reuse` times, in an order of its own; position p shows view
    p % shuffle. A loader takes a batch from each worker in turn and begins with the first again
    when it is continued, so the workers then swap their parts.

    Args:
        options: Sizes of a block.
        seed: Of the sequence.
        start: Samples that all workers together gave before.
        batch: Samples that a worker gives in a row.
        worker, workers: Which one of how many.
    """
    length = options.shuffle * options.reuse
    batches = start // batch
    part = (worker + batches) % workers
    given = (batches - part + workers - 1) // workers * batch
    block, skip = given // length * workers + part, given % length
    while True:
        order = np.random.default_rng([seed, 1, block]).permutation(length)
        yield from ((block, int(position)) for position in order[skip:])
        block, skip = block + workers, 0

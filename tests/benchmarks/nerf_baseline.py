# SPDX-License-Identifier: Apache-2.0
"""A hash-grid NeRF of the keyframes in plain torch, with depth and masks: the other usual way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from plain_hash_grid import PlainHashGrid

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity, invert, transform_points
from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.marching_cubes import marching_cubes

GRID = HashGridConfig(levels=8, features=2, table_size=1 << 16, base=16, finest=128)
BOX = 1.4  # side of the cube / longest side of the seen points' box
CELLS = 48  # of the occupancy grid along an axis
WARM_UP = 64  # steps before the occupancy grid leaves out more than what no mask shows
RAYS, SAMPLES = 768, 64
LEARNING_RATE = 1e-2
WEIGHTS = {"mask": 0.5, "depth": 1.0}
ISO = 15.0  # density [1 / side of the cube]; of 15, 40, 100 the best on a tuning object
LATTICE = 112
SURE = 0.02  # opacity of a step below which a cell counts as empty


class NerfField(torch.nn.Module):
    """Density [1 / side of the cube] and colour over the unit cube (Müller 2022, section 5.4).

    Colour does not depend on direction: the scenes are diffuse, and few views overfit it.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        table = 1e-4 * (2 * torch.rand(GRID.table_shape, generator=generator) - 1)
        self.grid = PlainHashGrid(GRID, table)
        self.trunk = torch.nn.Sequential(
            torch.nn.Linear(GRID.levels * GRID.features, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 16),
        )
        self.colour = torch.nn.Sequential(
            torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3), torch.nn.Sigmoid()
        )

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Densities (N,) and sRGB colours (N, 3) at points (N, 3) in the unit cube."""
        hidden = self.trunk(self.grid(points))
        return torch.exp((hidden[:, 0] - 1.0).clamp(max=9.0)), self.colour(hidden)


class Nerf:
    """A field fitted to views for a time.

    Args:
        views: With depth and poses in one world.
        budget: Seconds of one core's time, so that what else runs here costs no steps.
        seed: Of everything random.
    """

    def __init__(self, views: Sequence[View], *, budget: float, seed: int = 0):
        self._generator = torch.Generator().manual_seed(seed)
        self.S_world_cube = _cube(views)
        self.field = NerfField(self._generator)
        self._hull = _hull(views, self.S_world_cube)
        self._occupied = self._hull
        self._peak = torch.zeros((CELLS,) * 3)
        pixels = _pixels(views, self.S_world_cube)
        optimiser = torch.optim.Adam(self.field.parameters(), lr=LEARNING_RATE, eps=1e-15)
        start, self.steps = time.process_time(), 0
        while (spent := time.process_time() - start) < budget:
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * 0.1 ** (spent / budget)
            drawn = torch.randint(len(pixels.origins), (RAYS,), generator=self._generator)
            loss = self._loss(_Pixels(*(part[drawn] for part in vars(pixels).values())))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            self.steps += 1
            if self.steps % 16 == 0:
                self._update_occupancy()

    def _loss(self, pixels: "_Pixels") -> torch.Tensor:
        background = torch.rand(3, generator=self._generator)
        colours, opacities, depths = self._render(pixels.origins, pixels.directions, background)
        masks = pixels.masks[:, None]
        target = pixels.colours * masks + background * (1 - masks)
        loss = torch.nn.functional.smooth_l1_loss(colours, target, beta=0.1)
        clipped = opacities.clamp(1e-4, 1 - 1e-4)
        loss = loss + WEIGHTS["mask"] * torch.nn.functional.binary_cross_entropy(
            clipped, pixels.masks
        )
        known = torch.isfinite(pixels.depths) & (pixels.masks > 0)
        error = (depths[known] - pixels.depths[known]).abs()
        return loss + WEIGHTS["depth"] * error.clamp(max=0.2).sum() / max(int(known.sum()), 1)

    def _render(
        self, origins: torch.Tensor, directions: torch.Tensor, background: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Colours (R, 3), opacities (R,) and expected distances (R,) [sides of the cube]."""
        slow = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
        walls = torch.stack([-origins / slow, (1 - origins) / slow])
        near = walls.amin(0).amax(1).clamp(min=0)
        step = (walls.amax(0).amin(1) - near).clamp(min=0) / SAMPLES
        jitter = torch.rand((len(origins), SAMPLES), generator=self._generator)
        t = near[:, None] + step[:, None] * (torch.arange(SAMPLES) + jitter)
        points = origins[:, None] + directions[:, None] * t[..., None]
        cells = (points.detach() * CELLS).long().clamp(0, CELLS - 1)
        alive = self._occupied[cells[..., 0], cells[..., 1], cells[..., 2]] & (step > 0)[:, None]
        densities, colours = self.field(points[alive].clamp(0, 1))
        opacity = torch.zeros(alive.shape).masked_scatter(alive, densities) * step[:, None]
        alpha = 1 - torch.exp(-opacity)
        passed = torch.exp(-(torch.cumsum(opacity, 1) - opacity))
        weights = passed * alpha
        total = weights.sum(1)
        seen = torch.zeros(points.shape).masked_scatter(alive[..., None].expand_as(points), colours)
        blended = (weights[..., None] * seen).sum(1) + (1 - total)[:, None] * background
        return blended, total, (weights * t).sum(1) / total.clamp(min=1e-3)

    @torch.no_grad()
    def _update_occupancy(self) -> None:
        """Decay each cell's peak density, and raise it at a random point in a part of them."""
        count = CELLS**3 // 8
        cells = torch.randint(CELLS, (count, 3), generator=self._generator)
        within = torch.rand((count, 3), generator=self._generator)
        densities, _ = self.field((cells + within) / CELLS)
        at = tuple(cells.T)
        self._peak[at] = torch.maximum(0.8 * self._peak[at], densities)
        if self.steps >= WARM_UP:
            occupied = self._peak * (1 / SAMPLES) > SURE
            grown = torch.nn.functional.max_pool3d(occupied[None, None].float(), 3, 1, 1)
            self._occupied = (grown[0, 0] > 0) & self._hull

    @torch.no_grad()
    def mesh(self) -> Mesh:
        """The surface of density `ISO` with colours, in the world [m]."""
        axis = torch.arange(LATTICE) / (LATTICE - 1)
        points = torch.cartesian_prod(axis, axis, axis)
        cells = (points * CELLS).long().clamp(0, CELLS - 1)
        alive = self._occupied[tuple(cells.T)]
        values = torch.full((len(points),), float(np.log(ISO)) + 5.0)
        for part in alive.nonzero()[:, 0].split(1 << 16):
            values[part] = float(np.log(ISO)) - self.field(points[part])[0].log()
        lattice = values.reshape((LATTICE,) * 3).numpy()
        vertices, faces = marching_cubes(lattice, spacing=1 / (LATTICE - 1))
        if len(faces) == 0:
            raise EmptySurfaceError(f"the NeRF has no density above {ISO} after {self.steps} steps")
        parts = torch.from_numpy(vertices).clamp(0, 1).split(1 << 16)
        colours = torch.cat([self.field(part)[1] for part in parts]).numpy()
        mesh = Mesh(vertices, faces, colors=np.round(255 * colours).astype(np.uint8))
        return mesh.transformed(self.S_world_cube).keep_large_components()

    @torch.no_grad()
    def render(self, camera: Camera) -> np.ndarray:
        """The object before white, sRGB f32 (H, W, 3) in [0, 1]."""
        origins, directions = _rays(camera, camera.pixel_grid().reshape(-1, 2), self.S_world_cube)
        parts = [
            self._render(*rays, torch.ones(3))[0]
            for rays in zip(origins.split(4096), directions.split(4096), strict=True)
        ]
        return torch.cat(parts).reshape(camera.height, camera.width, 3).clamp(0, 1).numpy()


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Rays in the cube's frame and what the views say along them; depths NaN where unknown."""

    origins: torch.Tensor  # (R, 3)
    directions: torch.Tensor  # (R, 3), unit
    colours: torch.Tensor  # (R, 3)
    masks: torch.Tensor  # (R,)
    depths: torch.Tensor  # (R,), distance along the ray [sides of the cube]


def _cube(views: Sequence[View]) -> Similarity:
    """`S_world_cube` of the unit cube around what the views' masked depth shows."""
    clouds = []
    for view in views:
        known = view.mask & np.isfinite(view.depth)
        points = view.camera.unproject(view.camera.pixel_grid()[known], view.depth[known])
        clouds.append(transform_points(view.camera.T_world_camera, points))
    low, high = np.percentile(np.concatenate(clouds), [0.5, 99.5], axis=0)
    side = BOX * float((high - low).max())
    return Similarity(side, np.eye(3), 0.5 * (low + high) - 0.5 * side)


def _hull(views: Sequence[View], S_world_cube: Similarity) -> torch.Tensor:
    """Cells, bool (C, C, C), that no view shows to be empty, with one more all around."""
    axis = (np.arange(CELLS) + 0.5) / CELLS
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    kept = np.ones(len(centres), bool)
    for view in views:
        T_camera_world = invert(view.camera.T_world_camera)
        points = transform_points(T_camera_world, S_world_cube.apply(centres))
        pixels = np.nan_to_num(view.camera.project(points), nan=-1.0)
        limits = (view.camera.width - 1, view.camera.height - 1)
        columns, rows = np.clip(pixels.astype(np.int64), 0, limits).T
        kept &= view.mask[rows, columns]
    cells = torch.from_numpy(kept.reshape((CELLS,) * 3)).float()
    return torch.nn.functional.max_pool3d(cells[None, None], 3, 1, 1)[0, 0] > 0


def _rays(
    camera: Camera, pixels: np.ndarray, S_world_cube: Similarity
) -> tuple[torch.Tensor, torch.Tensor]:
    """Origins and unit directions (N, 3) in the cube's frame of rays through pixels (N, 2)."""
    directions = camera.rays(pixels) @ camera.T_world_camera[:3, :3].T @ S_world_cube.R
    origin = S_world_cube.inverse().apply(camera.T_world_camera[None, :3, 3])
    origins = np.broadcast_to(origin, directions.shape)
    return torch.tensor(origins, dtype=torch.float32), torch.tensor(directions).float()


def _pixels(views: Sequence[View], S_world_cube: Similarity) -> _Pixels:
    """Pixels of all views within their mask's box and a quarter of its size around it."""
    parts = []
    for view in views:
        rows, columns = np.nonzero(view.mask)
        margin = max(np.ptp(rows), np.ptp(columns)) // 4
        box = np.zeros_like(view.mask)
        box[
            max(rows.min() - margin, 0) : rows.max() + margin + 1,
            max(columns.min() - margin, 0) : columns.max() + margin + 1,
        ] = True
        pixels = view.camera.pixel_grid()[box]
        origins, directions = _rays(view.camera, pixels, S_world_cube)
        along = view.camera.rays(pixels)[:, 2]  # z of a unit step
        depths = np.where(view.mask, view.depth, np.nan)[box] / along / S_world_cube.scale
        colours = torch.tensor(view.image[box] / 255.0).float()
        masks = torch.tensor(view.mask[box]).float()
        parts.append((origins, directions, colours, masks, torch.tensor(depths).float()))
    return _Pixels(*(torch.cat(part) for part in zip(*parts, strict=True)))

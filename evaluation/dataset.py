# SPDX-License-Identifier: Apache-2.0
"""Objects with pictures, cameras and true shape, read from folders in the evaluation format.

One folder an object: `rgb_000.png` (plain background), `bg_000.png` (clutter), `mask_000.png`
(coverage, > 127 is the object), `depth_000.png` (uint16 z depth in units of `depth_unit_m`, 0
unknown), `cameras.json` (width, height, K, depth_unit_m, views[i].T_cam_obj), `gt.npz`
(surf_points, surf_normals, vol_points, vol_occ), `mesh.ply` [m] and `meta.json` (longest_m).
"""

import json
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import as_transform
from recon_node.evaluation.geometry import OccupancySamples, SurfaceSamples, wall_thickness
from recon_node.evaluation.solid import Solid

THIN_RATIO = 0.05  # walls thinner than this share of the longest side: 3 to 4 cells of a 128^3 grid


class Picture(Enum):
    """Which of the two pictures of a view is shown to the engine; the value names its files."""

    PLAIN = "rgb"
    CLUTTER = "bg"

    @property
    def label(self) -> str:
        """`plain` or `clutter`."""
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class EvaluationObject:
    """One folder of the evaluation format; pictures and truth are read when asked for.

    Attributes:
        path: The folder.
        name: Name of the folder.
        longest: Longest side of the object [m].
        camera: Intrinsics shared by all views; its world is the camera itself, so that an engine
            never learns where the object is.
        depth_unit: Metres per unit of the depth pictures.
        T_camera_object: One transform per view, f64 (V, 4, 4) [m].
    """

    path: Path
    name: str
    longest: float
    camera: Camera
    depth_unit: float
    T_camera_object: np.ndarray

    @property
    def view_count(self) -> int:
        """Number of views."""
        return len(self.T_camera_object)

    def view(self, index: int, picture: Picture, *, with_depth: bool) -> View:
        """The picture, mask and, if asked for, depth of one view, in the camera's frame."""
        image = _read_picture(self.path / f"{picture.value}_{index:03d}.png", "RGB")
        mask = _read_picture(self.path / f"mask_{index:03d}.png", "L") > 127
        depth = None
        if with_depth:
            units = _read_picture(self.path / f"depth_{index:03d}.png", None).astype(np.float64)
            depth = np.where(units > 0, units * self.depth_unit, np.nan).astype(np.float32)
        try:
            return View(image=image, mask=mask, camera=self.camera, depth=depth)
        except InvalidInputError as error:
            raise InvalidInputError(f"view {index} of {self.path} is unusable: {error}") from error

    @cached_property
    def surface(self) -> SurfaceSamples:
        """Samples of the true surface, object frame."""
        points, normals = self._truth("surf_points", "surf_normals")
        return SurfaceSamples(points.astype(np.float64), normals.astype(np.float64))

    @cached_property
    def occupancy(self) -> OccupancySamples:
        """Samples of the true volume, object frame."""
        points, occupied = self._truth("vol_points", "vol_occ")
        return OccupancySamples(points.astype(np.float64), occupied > 0)

    @cached_property
    def solid(self) -> Solid:
        """The true mesh, object frame [m]; open or self-overlapping where its author left it so."""
        try:
            mesh = trimesh.load(self.path / "mesh.ply", process=False, force="mesh")
        except (OSError, ValueError) as error:
            raise _unreadable(self.path / "mesh.ply", error) from error
        colors = None
        if mesh.visual.kind == "vertex":
            colors = np.asarray(mesh.visual.vertex_colors, np.uint8)[:, :3]
        return Solid(
            Mesh(
                vertices=np.asarray(mesh.vertices, np.float32),
                faces=np.asarray(mesh.faces, np.int32),
                colors=colors,
            )
        )

    @cached_property
    def thickness(self) -> float:
        """Typical wall thickness relative to the longest side."""
        return wall_thickness(self.occupancy, self.surface) / self.longest

    @property
    def is_thin(self) -> bool:
        """Whether the object is mostly walls or rods too thin for a volume measure to be fair."""
        return self.thickness < THIN_RATIO

    def _truth(self, *keys: str) -> list[np.ndarray]:
        path = self.path / "gt.npz"
        try:
            with np.load(path) as truth:
                return [truth[key] for key in keys]
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(path, error) from error


def load_objects(directory: str | Path) -> list[EvaluationObject]:
    """All objects of a folder in the evaluation format, sorted by folder name.

    Args:
        directory: A folder of object folders, or one object folder.

    Raises:
        InvalidInputError: The folder does not exist, holds no object, or one cannot be read.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InvalidInputError(f"{directory} is not a folder; give one in the evaluation format")
    if (directory / "cameras.json").is_file():
        return [_load_object(directory)]
    paths = sorted(path.parent for path in directory.glob("*/cameras.json"))
    if not paths:
        raise InvalidInputError(
            f"{directory} holds no evaluation object: none of its folders has a cameras.json; "
            "give a folder in the evaluation format"
        )
    return [_load_object(path) for path in paths]


def _load_object(path: Path) -> EvaluationObject:
    try:
        cameras = json.loads((path / "cameras.json").read_text())
        meta = json.loads((path / "meta.json").read_text())
        camera = Camera(
            K=np.array(cameras["K"], np.float64),
            width=int(cameras["width"]),
            height=int(cameras["height"]),
        )
        transforms = [as_transform(np.array(view["T_cam_obj"])) for view in cameras["views"]]
        return EvaluationObject(
            path=path,
            name=path.name,
            longest=float(meta["longest_m"]),
            camera=camera,
            depth_unit=float(cameras["depth_unit_m"]),
            T_camera_object=np.stack(transforms),
        )
    except (OSError, KeyError, TypeError, ValueError, ReconstructionError) as error:
        raise _unreadable(path, error) from error


def _read_picture(path: Path, mode: str | None) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.array(picture if mode is None else picture.convert(mode))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{path} cannot be read as part of an evaluation set ({type(error).__name__}: {error}); "
        "see the format described in recon_node.evaluation.dataset"
    )

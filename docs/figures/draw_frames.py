# SPDX-License-Identifier: Apache-2.0
"""Draws frames.png, the figure of docs/conventions.md, with recon's own cameras and crop.

Needs matplotlib: pip install matplotlib; then: python docs/figures/draw_frames.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import trimesh

from recon_node.engines import canonical
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import FILL, Crop, crop_view
from recon_node.engines.transforms import Similarity, look_at
from recon_node.kernels.ray_cast import RayCaster

AXIS_COLOURS = ("#d62728", "#2ca02c", "#1f77b4")
INK, CAMERA_INK, CROP_INK, CUBE_INK, OBJECT_INK = (
    "#333333",
    "#444444",
    "#d9730d",
    "#7b3fa0",
    "#8a939c",
)
EDGES = [(a, b) for a in range(8) for b in range(a) if bin(a ^ b).count("1") == 1]
CUBE = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])


def scene() -> tuple[View, Crop, trimesh.Trimesh]:
    """A camera that sees a can at the side of its image; the can stands on the world's floor."""
    can = trimesh.creation.cylinder(radius=0.075, height=0.2, sections=96)
    can.apply_translation((0.42, 0.30, 0.1))
    width, height = 320, 240
    K = np.array([[330.0, 0, width / 2], [0, 330, height / 2], [0, 0, 1]])
    camera = Camera(K, width, height, look_at((-0.24, 0.02, 0.33), (0.42, 0.09, 0.12), (0, 0, 1)))
    rays = camera.rays(camera.pixel_grid().reshape(-1, 2))
    T = camera.T_world_camera
    caster = RayCaster(can.vertices.astype(np.float32), can.faces.astype(np.int32))
    origins = np.tile(T[:3, 3], (len(rays), 1))
    hits = caster.cast(origins.astype(np.float32), (rays @ T[:3, :3].T).astype(np.float32))
    mask = hits.faces >= 0
    depth = np.where(mask, hits.distances * rays[:, 2], np.nan).astype(np.float32)
    image = np.full((len(rays), 3), 238, np.uint8)
    image[mask] = 255 * shades(can)[hits.faces[mask]]
    shape = (height, width)
    view = View(image.reshape(*shape, 3), mask.reshape(shape), camera, depth.reshape(shape))
    return view, crop_view(view, size=256), can


def shades(shape: trimesh.Trimesh) -> np.ndarray:
    """Colours of the faces lit from one side, f64 (F, 3) from 0 to 1."""
    light = np.array([0.25, -0.65, 0.72])
    brightness = 0.62 + 0.38 * (shape.face_normals @ light).clip(0)
    return brightness[:, None] * (0.86, 0.88, 0.91)


class Drawing:
    """World points drawn through a camera of our own onto a matplotlib axis."""

    def __init__(self, axis: plt.Axes) -> None:
        self.axis = axis
        T = look_at((-0.32, -1.75, 0.9), (0.12, 0.13, 0.20), (0, 0, 1))
        self.camera = Camera(np.array([[1000.0, 0, 0], [0, 1000, 0], [0, 0, 1]]), 1, 1, T)
        self.S_camera_world = Similarity.from_transform(T).inverse()
        axis.set_aspect("equal")
        axis.invert_yaxis()
        axis.axis("off")

    def flat(self, points: np.ndarray) -> np.ndarray:
        return self.camera.project(self.S_camera_world.apply(np.atleast_2d(points)))

    def line(self, points: np.ndarray, **style) -> None:
        self.axis.plot(*self.flat(points).T, solid_capstyle="round", zorder=2, **style)

    def area(self, points: np.ndarray, **style) -> None:
        self.axis.fill(*self.flat(points).T, zorder=2, **style)

    def text(self, point: np.ndarray, text: str, offset=(0, 0), **style) -> None:
        style = {"fontsize": 12, "ha": "center", "va": "center", **style}
        self.axis.annotate(
            text, self.flat(point)[0], xytext=offset, textcoords="offset points", **style
        )

    def arrow(self, start: np.ndarray, end: np.ndarray, bend: float = 0.0, **style) -> None:
        start, end = self.flat(np.stack([start, end]))
        style = {
            "arrowstyle": "-|>",
            "mutation_scale": 13,
            "shrinkA": 0,
            "shrinkB": 0,
            "connectionstyle": f"arc3,rad={bend}",
            **style,
        }
        self.axis.annotate("", end, start, arrowprops=style)

    def frame(self, S_world_frame: Similarity, length: float, labels: tuple[str, ...]) -> None:
        """Three axes with their names, red green blue for x y z."""
        ends = S_world_frame.apply(np.vstack([np.zeros(3), length * np.eye(3)]))
        for end, colour, label in zip(ends[1:], AXIS_COLOURS, labels, strict=True):
            self.arrow(ends[0], end, color=colour, lw=2.2)
            direction = np.diff(self.flat(np.stack([ends[0], end])), axis=0)[0]
            direction = direction / np.linalg.norm(direction) * (1, -1)
            self.text(end, label, offset=tuple(direction * 11), color=colour, fontsize=11.5)


def image_corners(camera: Camera, depth: float) -> np.ndarray:
    """World corners (5, 3) of the camera's image drawn at a depth, the first one again."""
    w, h = camera.width, camera.height
    pixels = np.array([[0.0, 0], [w, 0], [w, h], [0, h], [0, 0]])
    points = camera.unproject(pixels, np.full(5, depth))
    return Similarity.from_transform(camera.T_world_camera).apply(points)


def draw_camera(drawing: Drawing, camera: Camera, depth: float, colour: str, width: float) -> None:
    corners = image_corners(camera, depth)
    drawing.area(corners, color=colour, alpha=0.10, lw=0)
    drawing.line(corners, color=colour, lw=width)
    for corner in corners[:4]:
        points = np.stack([camera.T_world_camera[:3, 3], corner])
        drawing.line(points, color=colour, lw=0.7 * width, alpha=0.7)


def draw_can(drawing: Drawing, can: trimesh.Trimesh) -> None:
    """The can's faces that look at us, shaded."""
    towards_us = drawing.camera.T_world_camera[:3, 3] - can.triangles_center
    for i in np.flatnonzero((can.face_normals * towards_us).sum(axis=1) > 0):
        colour = shades(can)[i]
        drawing.area(can.triangles[i], facecolor=colour, edgecolor=colour, lw=0.6)


def draw_scene(axis: plt.Axes, view: View, crop: Crop, can: trimesh.Trimesh) -> None:
    """The world with the real camera, the crop camera turned from it, and the cube."""
    drawing = Drawing(axis)
    for i in range(-3, 8):
        drawing.line(np.array([[i / 10, -0.2, 0], [i / 10, 0.6, 0]]), color="#e4e4e4", lw=0.8)
    for i in range(-2, 7):
        drawing.line(np.array([[-0.3, i / 10, 0], [0.7, i / 10, 0]]), color="#e4e4e4", lw=0.8)
    S_cube = crop.S_world_canonical
    corners = S_cube.apply(CUBE)
    nearness = -drawing.S_camera_world.apply(corners)[:, 2]
    hidden = nearness.argmin()
    for edge in EDGES:
        if hidden in edge:
            drawing.line(corners[list(edge)], color=CUBE_INK, lw=1.0, ls=(0, (2, 2)))
    draw_can(drawing, can)
    for edge in EDGES:
        if hidden not in edge:
            drawing.line(corners[list(edge)], color=CUBE_INK, lw=1.5)
    eye = view.camera.T_world_camera[:3, 3]
    draw_camera(drawing, view.camera, 0.17, CAMERA_INK, 1.4)
    draw_camera(drawing, crop.camera, 0.17, CROP_INK, 1.6)
    drawing.line(np.stack([eye, S_cube.t]), color=CROP_INK, lw=1.2, ls=(0, (5, 3)))
    drawing.frame(Similarity.identity(), 0.12, ("x", "y", "z"))
    drawing.frame(Similarity.from_transform(view.camera.T_world_camera), 0.12, ("x", "y", "z"))
    drawing.frame(Similarity(1.0, S_cube.R, S_cube.t), 1.35 * S_cube.scale, ("+x", "+y", "+z"))
    drawing.arrow(eye, np.zeros(3), bend=0.35, color=INK, lw=1.1, shrinkA=8, shrinkB=8)
    drawing.arrow(S_cube.t, np.zeros(3), bend=-0.38, color=INK, lw=1.1, shrinkA=8, shrinkB=8)
    drawing.text((-0.15, 0, 0.02), "T_world_camera", (-24, 0), ha="center", family="monospace")
    drawing.text((0.26, -0.1, 0.0), "S_world_canonical", (6, -16), family="monospace")
    drawing.text(np.zeros(3), "world", offset=(4, -13), weight="bold")
    drawing.text(eye, "camera", offset=(0, 16), weight="bold", color=CAMERA_INK)
    tip = image_corners(crop.camera, 0.17)[1]
    drawing.text(
        tip, "crop camera: the same\nplace, turned to the object", (26, 52), color=CROP_INK
    )
    drawing.text(corners[5], "canonical cube", offset=(0, 14), color=CUBE_INK, weight="bold")


def outline(axis: plt.Axes, points: np.ndarray, colour: str, **style) -> None:
    axis.plot(*np.vstack([points, points[:1]]).T, color=colour, **style)


def draw_image(axis: plt.Axes, view: View, crop: Crop) -> None:
    """The source image with what the crop covers, and where pixel coordinates start."""
    w, h = view.camera.width, view.camera.height
    axis.imshow(view.image, extent=(0, w, h, 0))
    side = crop.camera.width
    square = np.array([[0.0, 0], [side, 0], [side, side], [0, side]])
    outline(axis, crop.to_source(square), CROP_INK, lw=2)
    axis.plot(*view.camera.centre, "+", color=CAMERA_INK, ms=10, mew=1.5)
    axis.annotate("(cx, cy)", view.camera.centre, (6, -12), textcoords="offset points")
    axis.set(xlim=(0, w), ylim=(h, 0), xticks=(0, w), yticks=(0, h))
    axis.set_xticklabels(("0", "width"))
    axis.set_yticklabels(("0", "height"))
    axis.set_title("image [px]", fontsize=11, color=CAMERA_INK, weight="bold")
    axis.set_xlabel("x", labelpad=-10)
    axis.set_ylabel("y", labelpad=-16, rotation=0)


def draw_crop(axis: plt.Axes, crop: Crop) -> None:
    """The crop with its normalised coordinates and the share that the mask fills."""
    axis.imshow(crop.image, extent=(-1, 1, 1, -1))
    axis.contour(
        np.linspace(-1, 1, crop.camera.width),
        np.linspace(-1, 1, crop.camera.width),
        crop.mask,
        levels=[0.5],
        colors=[INK],
        linewidths=1.2,
    )
    outline(axis, np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]), CROP_INK, lw=4)
    span = {"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", (0.7, -FILL), (0.7, FILL), arrowprops=span)
    axis.text(0.84, 0, f"{FILL:g} S", ha="center", va="center", rotation=90)
    axis.set(xlim=(-1, 1), ylim=(1, -1), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axis.set_title("crop, S x S px", fontsize=11, color=CROP_INK, weight="bold")
    axis.set_xlabel("u = y / (1 - q x)", labelpad=2)
    axis.set_ylabel("v = -z / (1 - q x)", labelpad=-2)


def draw_section(axis: plt.Axes, crop: Crop) -> None:
    """The crop camera and the cube cut along the axis, seen from above, to scale."""
    D, q = crop.distance, crop.tan_half_fov
    h = D * q
    reach = D + h
    axis.fill([0, reach, reach], [0, reach * q, -reach * q], color=CROP_INK, alpha=0.10, lw=0)
    for sign in (-1, 1):
        axis.plot([0, reach], [0, sign * reach * q], color=CROP_INK, lw=1.2)
    axis.plot([0, reach], [0, 0], color=CROP_INK, lw=1.1, ls=(0, (5, 3)))
    outline(axis, np.array([[D - h, -h], [D + h, -h], [D + h, h], [D - h, h]]), CUBE_INK, lw=1.6)
    axis.plot([D, D], [-h, h], color=CUBE_INK, lw=0.9, ls=(0, (2, 2)))
    front = D - canonical.FRONT * h
    angle = np.linspace(0, 2 * np.pi, 90)
    radius = 0.5 * h
    axis.fill(front + radius * (1 + np.cos(angle)), radius * np.sin(angle), color="#cfd3d8")
    axis.plot([front, front], [-1.22 * h, 0.0], color=INK, lw=0.9)
    for x, y, text in (
        (front, -1.36 * h, "$z_{near}$"),
        (D, 1.45 * h, "x = 0"),
        (D - h, 1.45 * h, "x = 1"),
        (D + h, 1.45 * h, "x = -1"),
    ):
        axis.text(x, y, text, ha="center", va="center", fontsize=10.5)
    axis.text(front - 0.03 * h, -0.62 * h, f"x = {canonical.FRONT:g}", ha="right", fontsize=10.5)
    measure = {"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", (0, -1.75 * h), (D, -1.75 * h), arrowprops=measure)
    axis.text(D / 2, -1.98 * h, "D", ha="center", va="center")
    axis.annotate("", (D + 1.2 * h, 0), (D + 1.2 * h, h), arrowprops=measure)
    axis.text(D + 1.28 * h, h / 2, "D q", va="center")
    axis.text(
        0.36 * D,
        0.66 * h,
        "q = tan(half field of view)",
        rotation=0,
        ha="center",
        va="bottom",
        color=CROP_INK,
        fontsize=10,
    )
    axis.plot(0, 0, "o", color=CROP_INK, ms=6)
    axis.set(xlim=(-0.05 * D, D + 1.75 * h), ylim=(-2.2 * h, 1.65 * h))
    axis.set_aspect("equal")
    axis.axis("off")
    axis.set_title(
        "the cube on the crop's axis, from above",
        fontsize=11,
        color=CUBE_INK,
        weight="bold",
        y=1.03,
    )


def draw_pixel(axis: plt.Axes) -> None:
    """Corner and centre of the first pixel."""
    for i in range(5):
        axis.plot([i, i], [0, 3], color="#b5b5b5", lw=1)
    for j in range(4):
        axis.plot([0, 4], [j, j], color="#b5b5b5", lw=1)
    x, y = np.meshgrid(np.arange(4) + 0.5, np.arange(3) + 0.5)
    axis.plot(x.ravel(), y.ravel(), ".", color="#b5b5b5", ms=5)
    axis.plot(0.5, 0.5, "o", color=AXIS_COLOURS[0], ms=5)
    axis.plot(0, 0, "o", color=INK, ms=5)
    axis.annotate("(0, 0)", (0, 0), (-4, 5), textcoords="offset points", ha="center")
    axis.annotate(
        "(0.5, 0.5)", (0.5, 0.5), (6, 3), textcoords="offset points", color=AXIS_COLOURS[0]
    )
    axis.set_title("pixel centres at +0.5", fontsize=10.5, color=CAMERA_INK)
    axis.set(xlim=(-0.3, 4.3), ylim=(3.2, -0.7))
    axis.set_aspect("equal")
    axis.axis("off")


def main() -> None:
    view, crop, can = scene()
    plt.rcParams.update({"font.size": 10.5, "axes.edgecolor": "#999999"})
    figure = plt.figure(figsize=(14, 6.6))
    draw_scene(figure.add_axes((0.0, 0.08, 0.58, 0.98)), view, crop, can)
    draw_image(figure.add_axes((0.605, 0.56, 0.2, 0.37)), view, crop)
    draw_crop(figure.add_axes((0.845, 0.56, 0.15, 0.37)), crop)
    draw_section(figure.add_axes((0.575, -0.01, 0.42, 0.46)), crop)
    draw_pixel(figure.add_axes((0.43, 0.02, 0.13, 0.2)))
    maps = ("p_world = T_world_camera @ p_camera", "p_world = S_world_canonical @ p_canonical")
    figure.text(0.03, 0.07, "\n".join(maps), family="monospace", fontsize=12, linespacing=1.7)
    figure.savefig(Path(__file__).with_name("frames.png"), dpi=110)


if __name__ == "__main__":
    main()

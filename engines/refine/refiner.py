# SPDX-License-Identifier: Apache-2.0
"""One refinement: a field, the cameras that saw it, the optimiser of both; a step, and a mesh."""

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.fields.adam import Adam
from recon_node.engines.fields.extraction import sdf_mesh
from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.renderer import render
from recon_node.engines.fields.surface_density import LaplaceDensity
from recon_node.engines.keyframes.consensus import outliers, registered
from recon_node.engines.keyframes.keyframe import Keyframe, with_T_world_camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, Stage
from recon_node.engines.refine.box import refinement_box
from recon_node.engines.refine.camera_corrections import CameraCorrections
from recon_node.engines.refine.config import RefineConfig
from recon_node.engines.refine.held_out import HeldOutScore, held_out_score
from recon_node.engines.refine.pixels import Pixels
from recon_node.engines.refine.provenance import annotated
from recon_node.engines.refine.start_fit import StartFit, split_parameters
from recon_node.engines.refine.start_points import start_points
from recon_node.engines.refine.terms import refinement_terms
from recon_node.engines.terms.term import Schedule, Step, WeightedTerm, weighted_sum
from recon_node.engines.transforms import Similarity
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=8, features=4, table_size=1 << 15, base=16, finest=192)
RAYS, FEWEST_RAYS = 512, 64
RAY_STEP = 0.0125  # [box unit]
BETA = Schedule(((0.0, 0.012), (0.6, 0.006)))  # width of the density's rise [box unit]
FALL = Schedule(((0.0, 1.0), (0.5, 1.0), (1.0, 0.1)))  # of all learning rates
TABLE_RATE, NETWORK_RATE, GAIN_RATE, CAMERA_RATE = 2.5e-3, 1e-3, 6e-4, 2e-4
RESOLUTION = 128  # of meshes, along an axis
CLEARLY = 0.04  # distance of a point that is inside or outside beyond doubt [box unit]
OCCUPANCY_PERIOD = 16  # steps between two looks at where matter may be
KEPT_PERIOD = 50  # steps between two states that a broken step goes back to
MOST_BREAKS = 3


class Refiner:
    """A hash-grid SDF, fitted to the start, then to the keyframes' pixels by volume rendering.

    Args:
        keyframes: One or more views of the object, in the world of the start.
        start: What to improve.
        config: Seed, and whether cameras may move.
        further_terms: Beside those of `refinement_terms`, such as a diffusion model's.

    Attributes:
        step_number: Steps made.
        notes: Sentences about what went wrong on the way.
        gave_up: Whether steps make no sense any more.
        S_world_box: Of the box, once prepared.
        fit_error: Of the field before the first step, against what was known, near the surface:
            median [box unit].
    """

    def __init__(
        self,
        keyframes: Sequence[Keyframe],
        start: Reconstruction,
        config: RefineConfig,
        *,
        further_terms: Sequence[WeightedTerm] = (),
    ):
        if not keyframes:
            raise InvalidInputError("a refinement was given no keyframe; give it one or more")
        self._given, self._start, self._config = list(keyframes), start, config
        self._further_terms = list(further_terms)
        self._generator = torch.Generator().manual_seed(config.seed)
        self.step_number, self.notes, self.gave_up = 0, [], False
        self._rays, self._breaks = RAYS, 0

    def prepare(self) -> Iterator[None]:
        """Finds the cameras, gathers what is known, fits the field to it; yields between parts."""
        self._keyframes = self._consistent()
        if self._config.correct_cameras and len(self._keyframes) > 1:
            self._keyframes = registered(self._keyframes)
        yield
        self.S_world_box = refinement_box(self._start, self._keyframes)
        rng = np.random.default_rng(self._config.seed)
        self._known = known = start_points(self._start, self._keyframes, self.S_world_box, rng=rng)
        yield
        pixels = Pixels.of(self._keyframes, self.S_world_box)
        self._train, self._held_out = pixels.split(self._generator)
        self._field = HashSdfField(
            HashSdfConfig(grid=GRID), LaplaceDensity(BETA(0.0)), self._generator
        )
        self._cameras = CameraCorrections(len(self._keyframes))
        self._occupancy = OccupancyGrid(64)
        fit = StartFit(self._field, known, self._generator)
        for _ in fit.steps():
            yield
        self.fit_error = fit.error()
        self._terms = refinement_terms(known) + self._further_terms
        self._optimiser = self._new_optimiser()
        self._rates = list(self._optimiser.rates)
        self._kept = self.state()

    def step(self, progress: float) -> dict[str, float]:
        """The value of each term after one step of the optimiser.

        A step whose loss is no number is undone with those since the last kept state, at half the
        rate; one that does not fit into the memory is made with half the rays.

        Args:
            progress: Share of the run that is done, 0 to 1.

        Raises:
            ReconstructionError: Not even a small step fits into the memory.
        """
        try:
            losses = self._try_step(progress)
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            self._make_room(error)
            return {}
        self.step_number += 1
        if not all(math.isfinite(loss) for loss in losses.values()):
            self._roll_back()
        elif self.step_number % KEPT_PERIOD == 0:
            self._kept = self.state()
        return losses

    def mesh(self) -> Mesh:
        """The field's surface as it is now, without crumbs, with its colours [box].

        Raises:
            EmptySurfaceError: There is none.
        """
        return sdf_mesh(self._field, resolution=RESOLUTION).keep_large_components()

    def score(self, mesh: Mesh) -> HeldOutScore:
        """How well a mesh [box] explains the held-out pixels."""
        with torch.no_grad():
            rays = self._cameras.rays(self._held_out)
        return held_out_score(mesh, rays, self._held_out.measured)

    @torch.no_grad()
    def drift(self) -> float:
        """Share of the points that no keyframe saw which changed sides, though far from the start.

        Held-out pixels say nothing of what grows or vanishes there.
        """
        known = self._known
        wanted = known.hidden & (np.abs(known.sdf) > CLEARLY)
        if not wanted.any():
            return 0.0
        sdf = self._field.sdf(torch.from_numpy(known.points[wanted])).numpy()
        return float((np.sign(sdf) != np.sign(known.sdf[wanted])).mean())

    def score_of_start(self) -> HeldOutScore:
        """How well the start's own mesh does."""
        to_box = self.S_world_box.inverse() @ Similarity.from_transform(self._start.T_world_object)
        return self.score(self._start.mesh.transformed(to_box))

    def reconstruction(
        self, mesh: Mesh, score: HeldOutScore, before: HeldOutScore
    ) -> Reconstruction:
        """A mesh [box] as the version after the start, in the start's frame, annotated.

        Args:
            mesh: Of `mesh()`.
            score: Of that mesh.
            before: Of the start's.
        """
        told = annotated(mesh, self._corrected_keyframes(), self.S_world_box)
        T_object_world = Similarity.from_transform(self._start.T_world_object).inverse()
        metrics = {
            "refine_steps": self.step_number,
            "start_fit_error_m": self.fit_error * self.S_world_box.scale,
            "held_out_psnr": score.psnr,
            "held_out_psnr_before": before.psnr,
            "held_out_error": score.error,
            "held_out_error_before": before.error,
        }
        return replace(
            self._start,
            version=self._start.version + 1,
            parent_version=self._start.version,
            stage=Stage.REFINED,
            mesh=told.transformed(T_object_world @ self.S_world_box),
            view_count=len(self._keyframes),
            metrics=metrics,
        )

    def state(self) -> dict:
        """All that a step changes, as copies."""
        state = {
            "of": self._fingerprint(),
            "step": self.step_number,
            "field": self._field.state_dict(),
            "cameras": self._cameras.state_dict(),
            "occupancy": self._occupancy.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "generator": self._generator.get_state(),
        }
        return copy.deepcopy(state)

    def restore(self, state: dict) -> None:
        """Goes back, or forward, to a state of the same refinement.

        Raises:
            ValueError: It is of other keyframes, another start or another seed.
        """
        if state["of"] != self._fingerprint():
            raise ValueError("it is the state of other keyframes, another start or another seed")
        self._field.load_state_dict(state["field"])
        self._cameras.load_state_dict(state["cameras"])
        self._occupancy.load_state_dict(state["occupancy"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._generator.set_state(state["generator"])
        self.step_number = state["step"]

    def _try_step(self, progress: float) -> dict[str, float]:
        pixels = self._train.drawn(self._rays, self._generator)
        self._field.conversion.log_beta.data.fill_(math.log(BETA(progress)))
        if self.step_number % OCCUPANCY_PERIOD == 0:
            self._occupancy.update(self._field)
        rays = self._cameras.rays(pixels)
        jitter = torch.rand(self._rays, generator=self._generator)
        rendered = render(self._field, rays, self._occupancy, step=RAY_STEP, jitter=jitter)
        said = weighted_sum(
            self._terms,
            Step(
                field=self._field,
                rays=rays,
                measured=pixels.measured,
                rendered=rendered,
                generator=self._generator,
                progress=progress,
                exposures=self._cameras.exposures(pixels),
            ),
        )
        self._optimiser.rates = [rate * FALL(progress) for rate in self._rates]
        self._optimiser.zero_grad()
        said.total.backward()
        self._optimiser.step()
        return said.values

    def _new_optimiser(self) -> Adam:
        cameras = self._cameras
        table, network = split_parameters(self._field)
        groups = [(table, TABLE_RATE), (network, NETWORK_RATE), ([cameras.log_gains], GAIN_RATE)]
        if self._config.correct_cameras:
            groups.append(([cameras.turns, cameras.moves], CAMERA_RATE))
        return Adam(groups)

    def _roll_back(self) -> None:
        self._breaks += 1
        steps = self.step_number
        self.restore(self._kept)
        self._generator.manual_seed(self._config.seed + self._breaks)  # not the same step again
        self._rates = [0.5 * rate for rate in self._rates]
        self.notes.append(f"step {steps} had no finite loss and was undone")
        if self._breaks == MOST_BREAKS:
            self.gave_up = True
            self.notes.append(f"after {MOST_BREAKS} such steps the refinement ended")

    def _make_room(self, error: Exception) -> None:
        self._optimiser.zero_grad()
        self._rays //= 2
        if self._rays < FEWEST_RAYS:
            raise ReconstructionError(
                f"a refinement step of {2 * self._rays} rays does not fit into the memory "
                f"({error}); close other programs, or refine fewer keyframes"
            ) from error
        self.notes.append(f"memory was short: steps have {self._rays} rays from here on")

    def _consistent(self) -> list[Keyframe]:
        """The given keyframes without those that contradict the others."""
        odd = outliers(self._given)
        if odd:
            told = ", ".join(str(place + 1) for place in odd)
            self.notes.append(
                f"left out keyframe {told} of {len(self._given)}, which contradicts the others: "
                "its pose is wrong, or the object moved"
            )
        return [keyframe for place, keyframe in enumerate(self._given) if place not in odd]

    def _corrected_keyframes(self) -> list[Keyframe]:
        """The keyframes with their cameras where they are now thought to stand."""
        with torch.no_grad():
            rotations, moves = (part.double().numpy() for part in self._cameras.transforms())
        S_box_world = self.S_world_box.inverse()
        moved = []
        for keyframe, R, v in zip(self._keyframes, rotations, moves, strict=True):
            motion = Similarity(1.0, R, v)  # float32 rotations are made exact by as_rotation
            in_box = S_box_world @ Similarity.from_transform(keyframe.view.camera.T_world_camera)
            moved.append(
                with_T_world_camera(keyframe, (self.S_world_box @ motion @ in_box).rigid())
            )
        return moved

    def _fingerprint(self) -> str:
        """Of all that a state depends on but does not hold."""
        digest = hashlib.sha256(repr((self._config.seed, self._config.correct_cameras)).encode())
        arrays = [self._start.mesh.vertices, self._start.T_world_object]
        for keyframe in self._given:
            view = keyframe.view
            arrays += [view.image, view.mask, view.camera.K, view.camera.T_world_camera]
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "allocate memory" in str(error)  # what torch says where the CPU's is short

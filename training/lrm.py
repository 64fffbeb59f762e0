# SPDX-License-Identifier: Apache-2.0
"""Trains the compact model: the only loop, resumable and deterministic from its seed."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.model import CompactLRM
from recon_node.engines.lrm.stored_model import stored_model
from recon_node.kernels.warp_start import start_warp
from recon_node.training.checkpoint import Checkpoint
from recon_node.training.options import TrainingOptions
from recon_node.training.samples import Sample, SampleOptions, SampleSource, SampleStream

_CLAMP = 0.1


@dataclass(frozen=True)
class Batch:
    """Samples stacked along a first axis, as tensors; see `Sample`."""

    crop: Tensor
    tan_half_fov: Tensor
    points: Tensor
    sdf: Tensor
    colours: Tensor

    @classmethod
    def of(cls, samples: list[Sample]) -> "Batch":
        """The samples stacked."""
        return cls(
            *(
                torch.from_numpy(np.stack([getattr(sample, field.name) for sample in samples]))
                for field in fields(cls)
            )
        )

    def to(self, device: torch.device) -> "Batch":
        """The batch on that device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True)
class Losses:
    """The terms, scalars: occupancy, overlap of volumes, clamped distance, surface colour."""

    occupancy: Tensor
    overlap: Tensor
    distance: Tensor
    colour: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.occupancy + self.overlap + 4.0 * self.distance + 0.5 * self.colour


def soft_overlap(predicted: Tensor, truth: Tensor) -> Tensor:
    """One minus the soft Dice overlap (Milletari 2016, eq. 3) of occupancies (B, N), the mean.

    Cross-entropy alone leaves uncertain volume empty: every point is decided by itself, at one
    half. The overlap is what the result is judged by, object by object, thin ones too.
    """
    shared = (predicted * truth).sum(1)
    total = predicted.sum(1) + truth.sum(1)
    return (1.0 - (2.0 * shared + 1.0) / (total + 1.0)).mean()


def losses_of(model: torch.nn.Module, batch: Batch, sharpness: float) -> Losses:
    """The losses of the model's answers at the batch's points."""
    sdf, colours = model(batch.crop, batch.tan_half_fov, batch.points)
    inside = (batch.sdf < 0).float()
    occupancy = F.binary_cross_entropy_with_logits(-sdf / sharpness, inside)
    volume = inside.shape[1] // 2
    overlap = soft_overlap(torch.sigmoid(-sdf[:, :volume] / sharpness), inside[:, :volume])
    distance = (sdf.clamp(-_CLAMP, _CLAMP) - batch.sdf.clamp(-_CLAMP, _CLAMP)).abs().mean()
    near = (batch.sdf.abs() < 0.05).float()[..., None]
    colour = ((colours - batch.colours).abs() * near).sum() / (3.0 * near.sum()).clamp(min=1.0)
    return Losses(occupancy, overlap, distance, colour)


def rate_at(step: int, options: TrainingOptions) -> float:
    """Learning rate of a step: linear rise, constant, linear fall."""
    rise = min(1.0, (step + 1) / options.warmup)
    left = options.steps - step
    fall = max(0.05, left / options.cooldown) if left < options.cooldown else 1.0
    return options.learning_rate * rise * fall


def fastest_precision() -> str:
    """bf16-mixed where the GPU or the processor multiplies bfloat16 itself, else 32-true."""
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # absent in older versions
        native = capabilities.get("avx512_bf16", False)
    return "bf16-mixed" if native else "32-true"


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Updates averaged weights exponentially, faster in the first steps (Tensorflow's rule)."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        weight = 1.0 - min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        torch._foreach_lerp_(averaged, current, weight)

    return update


class Trainer:
    """Model, optimiser, averaged weights and place in the data, saved and restored together.

    Args:
        data: Folder of collection, textures and environment maps.
        out: Folder for checkpoint, log.csv and TensorBoard events.
        options: How to train.
        samples: What to render.
        validation: Held-out samples, the same at every check.
        weights: Folder of exported weights to start a new run from.
    """

    def __init__(
        self,
        data: Path,
        out: Path,
        options: TrainingOptions,
        samples: SampleOptions,
        validation: list[Sample],
        weights: Path | None,
    ):
        self.out, self.options, self.sample_options = out, options, samples
        precision = fastest_precision() if options.precision == "auto" else options.precision
        self.fabric = Fabric(accelerator="auto", devices=options.devices, precision=precision)
        self.fabric.launch()
        self.fabric.seed_everything(options.seed)
        model = CompactLRM() if weights is None else stored_model(weights).train()
        model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.02
        )
        self.averaged = AveragedModel(model, multi_avg_fn=moving_average(options.average))
        self.averaged.to(self.fabric.device)
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.step = 0
        self._checkpoint = Checkpoint(out / "checkpoint.pt")
        if self._checkpoint.exists():
            self._restore()
        self._source = SampleSource(data, samples)
        self._validation = validation

    def run(self) -> None:
        """Trains to the last step, validating and saving on the way."""
        writer = SummaryWriter(self.out / "tensorboard", purge_step=self.step)
        batches = self._batches()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f} samples/s"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, disable=self.fabric.global_rank > 0) as progress:
            task = progress.add_task(
                "training", total=self.options.steps, completed=self.step, rate=0.0
            )
            since, started, recent = self.step, time.perf_counter(), []
            while self.step < self.options.steps:
                losses = self._advance(next(batches))
                recent.append(losses)
                rate = self._samples_in(self.step - since) / (time.perf_counter() - started)
                progress.update(task, completed=self.step, rate=rate)
                if self.step % self.options.validate_every == 0 or self.step == self.options.steps:
                    self._record(writer, recent, rate)
                    self._save()
                    recent = []
        writer.close()

    def _advance(self, batch: Batch) -> Losses:
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.step, self.options)
        losses = losses_of(self.model, batch, self.options.sharpness)
        self.fabric.backward(losses.total)
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.averaged.update_parameters(self.model)
        self.step += 1
        return Losses(*(getattr(losses, field.name).detach() for field in fields(Losses)))

    def _batches(self) -> Iterator[Batch]:
        seed = self.options.seed + self.fabric.global_rank * 1_000_003
        stream = SampleStream(
            self._source,
            self.sample_options,
            seed=seed,
            start=self.step * self.options.batch,
            batch=self.options.batch,
        )
        loader = DataLoader(
            stream,
            batch_size=self.options.batch,
            num_workers=self.options.workers,
            collate_fn=Batch.of,
            multiprocessing_context="spawn" if self.options.workers else None,
            worker_init_fn=_start_worker,
        )
        for batch in loader:
            yield batch.to(self.fabric.device)

    def _samples_in(self, steps: int) -> int:
        return steps * self.options.batch * self.fabric.world_size

    def _record(self, writer: SummaryWriter, recent: list[Losses], rate: float) -> None:
        row = {"step": self.step, "samples": self._samples_in(self.step), "rate": round(rate, 2)}
        for name in (field.name for field in fields(Losses)):
            row[name] = round(float(torch.stack([getattr(r, name) for r in recent]).mean()), 5)
        row |= validate(self.averaged, self._validation, self.options.sharpness)
        if self.fabric.global_rank > 0:
            return
        for name, value in row.items():
            writer.add_scalar(name, value, self.step)
        path = self.out / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            log = csv.DictWriter(file, row)
            if fresh:
                log.writeheader()
            log.writerow(row)

    def _save(self) -> None:
        if self.fabric.global_rank > 0:
            return
        self._checkpoint.save(
            {
                "step": self.step,
                "model": self.model.module.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "options": asdict(self.options),
                "samples": asdict(self.sample_options),
            }
        )

    def _restore(self) -> None:
        state = self._checkpoint.load()
        try:
            self.model.module.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"the checkpoint in {self.out} is not of this compact model "
                f"({type(error).__name__}: {str(error).partition(':')[0]}); remove it to start "
                "the run again, or train into another folder"
            ) from error


def _start_worker(number: int) -> None:
    """In each worker: without it Warp would greet from every one."""
    start_warp()


@torch.no_grad()
def validate(model: torch.nn.Module, samples: list[Sample], sharpness: float) -> dict[str, float]:
    """Loss and occupancy IoU behind the mask, with the samples' depth and without it.

    Each sample is asked twice: as it is, and with its depth removed.
    """
    model.eval()
    row = {}
    for name in ("depth", "rgb"):
        ious, total = [], 0.0
        for start in range(0, len(samples), 16):
            batch = Batch.of(samples[start : start + 16])
            if name == "rgb":
                batch.crop[:, 4:] = 0.0
            batch = batch.to(next(model.parameters()).device)
            losses = losses_of(model, batch, sharpness)
            total += float(losses.total) * len(batch.sdf)
            sdf, _ = model(batch.crop, batch.tan_half_fov, batch.points)
            ious.append(_volume_iou(sdf, batch.sdf))
        ious = torch.cat(ious)
        row[f"val_loss_{name}"] = round(total / len(samples), 5)
        row[f"val_iou_{name}"] = round(float(ious.nanmean()), 4)
        row[f"val_iou_{name}_median"] = round(float(ious.nanmedian()), 4)
    model.train()
    return row


def _volume_iou(predicted: Tensor, truth: Tensor) -> Tensor:
    """IoU of each row's insides, (B,)."""
    a, b = predicted < 0, truth < 0
    return (a & b).sum(1) / (a | b).sum(1)


def validation_samples(data: Path, *, count: int) -> list[Sample]:
    """Samples of the held-out objects, with depth, with points behind the mask only."""
    options = SampleOptions(procedural=0.0, depth_dropped=0.0)
    source = SampleSource(data, options, held_out=True)
    rngs = [np.random.default_rng([7, index]) for index in range(count)]
    return [source.sample(rng).in_silhouette() for rng in rngs]


def train(
    data: Path,
    out: Path,
    options: TrainingOptions,
    *,
    samples: SampleOptions | None = None,
    weights: Path | None = None,
) -> None:
    """Trains, or continues, the run in `out`.

    Args:
        data: Folder with `objects_train.npz`, `objects_train_occ64.npz`, `textures.npz`,
            `envmaps_cc0.npz`.
        out: Folder of the run.
        options: How to train.
        samples: What to render.
        weights: Folder of exported weights that a new run starts from, instead of random ones.
    """
    out.mkdir(parents=True, exist_ok=True)
    validation = validation_samples(data, count=options.validation)
    Trainer(data, out, options, samples or SampleOptions(), validation, weights).run()

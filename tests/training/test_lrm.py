# SPDX-License-Identifier: Apache-2.0
"""Training the compact model: it learns, it resumes to the bit, and it judges itself rightly."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.model import CompactConfig, CompactLRM
from recon_node.engines.lrm.stored_model import stored_model
from recon_node.training.checkpoint import Checkpoint
from recon_node.training.lrm import (
    Batch,
    Trainer,
    fastest_precision,
    losses_of,
    moving_average,
    rate_at,
    soft_overlap,
    train,
    validate,
    validation_samples,
)
from recon_node.training.options import TrainingOptions
from recon_node.training.samples import Sample, SampleOptions, SampleSource

SAMPLES = SampleOptions(points=32, reuse=2, shuffle=4)
OPTIONS = TrainingOptions(
    steps=4, batch=2, warmup=3, validate_every=2, precision="32-true", seed=11
)
RADIUS, SHARPNESS = 0.5, 0.02
TINY = CompactConfig(
    widths=(16, 16, 32, 32), context_layers=1, plane_layers=1, head_width=16, hidden_width=32
)


@pytest.fixture(scope="module")
def validation(collection_folder) -> list[Sample]:
    return validation_samples(collection_folder, count=2)


@pytest.fixture(scope="module")
def finished(collection_folder, validation, tmp_path_factory) -> Path:
    """The folder of a run of four steps."""
    out = tmp_path_factory.mktemp("run")
    Trainer(collection_folder, out, OPTIONS, SAMPLES, validation, None).run()
    return out


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_resumed_run_ends_as_an_uninterrupted_one(
    finished, collection_folder, validation, tmp_path
):
    for steps in (2, 4):
        options = replace(OPTIONS, steps=steps)
        Trainer(collection_folder, tmp_path, options, SAMPLES, validation, None).run()
    whole, resumed = (Checkpoint(out / "checkpoint.pt").load() for out in (finished, tmp_path))
    assert whole["step"] == resumed["step"] == 4
    for part in ("model", "averaged"):
        assert whole[part].keys() == resumed[part].keys()
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, resumed[part][name]), f"{part}: {name}"
    assert not torch.equal(
        whole["model"]["encoder.stem.weight"], whole["averaged"]["module.encoder.stem.weight"]
    )
    # All but the time is logged alike.
    ours, theirs = rows_of(finished), rows_of(tmp_path)
    assert [{**row, "rate": ""} for row in ours] == [{**row, "rate": ""} for row in theirs]


def test_the_log_has_a_row_for_each_validation(finished):
    rows = rows_of(finished)
    assert list(rows[0]) == [
        "step",
        "samples",
        "rate",
        "occupancy",
        "overlap",
        "distance",
        "colour",
        "val_loss_depth",
        "val_iou_depth",
        "val_iou_depth_median",
        "val_loss_rgb",
        "val_iou_rgb",
        "val_iou_rgb_median",
    ]
    assert [(row["step"], row["samples"]) for row in rows] == [("2", "4"), ("4", "8")]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert any((finished / "tensorboard").iterdir())


def test_a_finished_run_is_left_alone(finished, collection_folder, validation):
    before = (finished / "checkpoint.pt").read_bytes(), rows_of(finished)
    Trainer(collection_folder, finished, OPTIONS, SAMPLES, validation, None).run()
    assert ((finished / "checkpoint.pt").read_bytes(), rows_of(finished)) == before


def test_a_run_does_not_start_over_a_corrupt_checkpoint(collection_folder, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(WeightsError, match="checkpoint.pt is not a checkpoint.*remove it"):
        Trainer(collection_folder, tmp_path, OPTIONS, SAMPLES, [], None)
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"half a checkpoint"


def test_a_run_does_not_start_over_the_checkpoint_of_another_model(collection_folder, tmp_path):
    Checkpoint(tmp_path / "checkpoint.pt").save({"model": {}, "averaged": {}, "step": 1})
    with pytest.raises(WeightsError, match="is not of this compact model .*remove it to start"):
        Trainer(collection_folder, tmp_path, OPTIONS, SAMPLES, [], None)


def test_a_run_starts_from_exported_weights(collection_folder, random_weights, tmp_path):
    trainer = Trainer(collection_folder, tmp_path, OPTIONS, SAMPLES, [], random_weights)
    expected = stored_model(random_weights).state_dict()
    for state in (trainer.model.module.state_dict(), trainer.averaged.module.state_dict()):
        assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def test_the_loss_falls_on_one_batch(collection_folder):
    """A tiny model learns four views by heart."""
    source = SampleSource(collection_folder, SAMPLES)
    samples = [source.sample(np.random.default_rng(i)).in_silhouette() for i in range(4)]
    batch = Batch.of(samples)
    batch = Batch(
        crop=batch.crop[..., ::4, ::4].contiguous(),
        tan_half_fov=batch.tan_half_fov,
        points=batch.points[:, :400],
        sdf=batch.sdf[:, :400],
        colours=batch.colours[:, :400],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CompactLRM(TINY, crop_size=32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = losses_of(model, batch, SHARPNESS)
    for _ in range(80):
        optimizer.zero_grad()
        losses_of(model, batch, SHARPNESS).total.backward()
        optimizer.step()
    last = losses_of(model, batch, SHARPNESS)
    assert last.total < 0.5 * first.total
    for name in ("occupancy", "overlap", "distance", "colour"):
        assert getattr(last, name) < getattr(first, name), name


class Ball(torch.nn.Module):
    """Answers with the signed distance to a ball and with grey; without depth, with nothing."""

    def __init__(self, radius: float):
        super().__init__()
        self.radius = torch.nn.Parameter(torch.tensor(radius))

    def forward(self, crop, tan_half_fov, points):
        distance = points.norm(dim=-1) - self.radius
        has_depth = crop[:, 5].amax(dim=(1, 2), keepdim=False)[:, None]
        return distance * has_depth + (1 - has_depth), torch.full_like(points, 0.5)


@pytest.fixture
def ball_samples(rng) -> list[Sample]:
    """Samples of a grey ball, more of them than are judged at once."""
    samples = []
    for _ in range(20):
        points = rng.uniform(-1, 1, (1500, 3)).astype(np.float32)
        samples.append(
            Sample(
                crop=np.ones((6, 8, 8), np.float32),
                tan_half_fov=np.float32(0.2),
                points=points,
                sdf=np.linalg.norm(points, axis=1) - np.float32(RADIUS),
                colours=np.full((1500, 3), 0.5, np.float32),
            )
        )
    return samples


def test_a_perfect_model_is_judged_perfect_and_an_empty_one_empty(ball_samples):
    model = Ball(RADIUS).train()
    row = validate(model, ball_samples, SHARPNESS)
    assert (row["val_iou_depth"], row["val_iou_depth_median"]) == (1.0, 1.0)
    assert (row["val_iou_rgb"], row["val_iou_rgb_median"]) == (0.0, 0.0)
    assert row["val_loss_depth"] < 0.15 < 1 < row["val_loss_rgb"]
    assert model.training
    assert all(sample.crop.all() for sample in ball_samples)  # what is taken away is a copy


def test_a_smaller_ball_has_the_overlap_of_its_volume(ball_samples):
    row = validate(Ball(0.4), ball_samples, SHARPNESS)
    assert row["val_iou_depth"] == pytest.approx((0.4 / RADIUS) ** 3, abs=0.03)


def test_losses_of_a_known_error(ball_samples):
    """A ball 0.03 too small is wrong by that everywhere within the clamp."""
    batch = Batch.of(ball_samples[:4])
    perfect, smaller = (losses_of(Ball(r), batch, SHARPNESS) for r in (RADIUS, RADIUS - 0.03))
    assert perfect.distance < 1e-8 and perfect.colour == 0
    clamped = (batch.sdf + 0.03).clamp(-0.1, 0.1) - batch.sdf.clamp(-0.1, 0.1)
    torch.testing.assert_close(smaller.distance, clamped.mean())
    assert smaller.occupancy > perfect.occupancy
    grey = replace(batch, colours=torch.full_like(batch.colours, 0.75))
    torch.testing.assert_close(losses_of(Ball(RADIUS), grey, SHARPNESS).colour, torch.tensor(0.25))
    total = smaller.occupancy + smaller.overlap + 4 * smaller.distance + 0.5 * smaller.colour
    torch.testing.assert_close(smaller.total, total)


def test_soft_overlap_is_one_minus_dice():
    truth = torch.zeros(1, 1000)
    truth[:, :500] = 1.0
    shifted = truth.roll(250, dims=1)
    assert soft_overlap(truth, truth) == pytest.approx(0.0, abs=1e-6)
    assert soft_overlap(1 - truth, truth) == pytest.approx(1.0, abs=2e-3)
    assert soft_overlap(shifted, truth) == pytest.approx(0.5, abs=2e-3)


def test_the_rate_rises_stays_and_falls():
    options = TrainingOptions(steps=1000, warmup=100, cooldown=200, learning_rate=1e-3)
    rates = [rate_at(step, options) for step in range(1000)]
    np.testing.assert_allclose(rates[:100], np.arange(1, 101) * 1e-5)
    np.testing.assert_allclose(rates[100:801], 1e-3)
    np.testing.assert_allclose(rates[900], 0.5e-3)
    np.testing.assert_allclose(rates[-10:], 0.05e-3)
    assert (np.diff(rates[800:990]) < 0).all()
    constant = replace(options, cooldown=0)
    assert {rate_at(step, constant) for step in (100, 500, 999)} == {1e-3}


def test_the_fastest_precision_is_one_that_runs():
    assert TrainingOptions(precision=fastest_precision()).precision != "auto"


def test_the_moving_average_follows_fast_first_and_slowly_later():
    averaged, current = [torch.zeros(2)], [torch.ones(2)]
    update = moving_average(0.9)
    update(averaged, current, torch.tensor(0))
    torch.testing.assert_close(averaged[0], torch.full((2,), 0.9))  # 1 - 1/10
    averaged = [torch.zeros(2)]
    update(averaged, current, torch.tensor(10_000))
    torch.testing.assert_close(averaged[0], torch.full((2,), 0.1))


def test_validation_shows_held_out_objects_with_depth(validation, collection_folder):
    again = validation_samples(collection_folder, count=2)
    for sample, same in zip(validation, again, strict=True):
        np.testing.assert_array_equal(sample.crop, same.crop)
        np.testing.assert_array_equal(sample.sdf, same.sdf)
        assert sample.crop[5].any()


def test_train_makes_the_folder_and_reports_missing_data(tmp_path):
    with pytest.raises(ValueError, match="objects_train.npz does not exist"):
        train(tmp_path / "nowhere", tmp_path / "new" / "run", OPTIONS)

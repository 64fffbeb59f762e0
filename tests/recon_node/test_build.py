# SPDX-License-Identifier: Apache-2.0
"""`recon build` makes plans without a GPU, lists them, and says what it cannot do."""

import pytest
import warp

WITHOUT_GPU = pytest.mark.skipif(
    warp.is_cuda_available(), reason="Warp finds a GPU, which this test wants missing"
)


def test_plans_are_built_listed_and_kept(recon, tmp_path, random_weights):
    command = ["build", random_weights, "--plan-directory", tmp_path, "--precision", "bf16"]
    run = recon(*command, "--compute-capability", "8.9")
    assert (run.code, run.errors) == (0, [])
    plans = sorted(tmp_path.glob("*.plan"))
    assert [path.name.partition("-")[0] for path in plans] == ["decoder", "encoder"]
    for word in ("decoder", "encoder", "bf16", "8.9", "tensorrt_rtx", "whole"):
        assert word in run.out
    before = [path.stat().st_mtime_ns for path in plans]
    again = recon(*command, "--compute-capability", "8.9")
    assert (again.code, again.out) == (0, run.out)
    assert [path.stat().st_mtime_ns for path in plans] == before


def test_a_corrupt_plan_is_listed_as_such_and_built_again(recon, tmp_path, random_weights):
    command = ["build", random_weights, "--plan-directory", tmp_path]
    command += ["--compute-capability", "12.0"]
    assert recon(*command).code == 0
    plan = next(tmp_path.glob("decoder*.plan"))
    content = plan.read_bytes()
    plan.write_bytes(content[:-1])
    run = recon("build", "--list", "--plan-directory", tmp_path)
    assert run.code == 2 and "cut short" in run.out
    assert recon(*command).code == 0
    assert plan.stat().st_size > 0.9 * len(content)
    assert recon("build", "--list", "--plan-directory", tmp_path).code == 0


def test_an_empty_cache_is_said_to_be(recon, tmp_path):
    run = recon("build", "--list", "--plan-directory", tmp_path / "none")
    assert (run.code, run.out) == (0, f"no plans in {tmp_path / 'none'}\n")


@pytest.mark.parametrize(
    ("capability", "message"),
    [("9.9", "no plans for compute capability 9.9 (it does for"), ("fast", "capability fast")],
)
def test_gpus_that_cannot_be_built_for_are_refused(capability, message, recon, tmp_path):
    run = recon("build", "--plan-directory", tmp_path, "--compute-capability", capability)
    assert run.code == 2
    assert len(run.errors) == 1 and message in run.errors[0]


@WITHOUT_GPU
def test_without_a_gpu_the_capability_has_to_be_named(recon, tmp_path):
    run = recon("build", "--plan-directory", tmp_path)
    assert run.code == 2
    assert "no NVIDIA GPU" in run.errors[0] and "--compute-capability" in run.errors[0]


def test_what_are_no_weights_is_refused(recon, tmp_path):
    command = ["build", tmp_path / "none", "--plan-directory", tmp_path]
    run = recon(*command, "--compute-capability", "8.9")
    assert run.code == 2 and "there is nothing at" in run.errors[0]


@WITHOUT_GPU
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorrt"}, "no NVIDIA GPU on this machine"),
        ({"provider": "cuda"}, "requirements/gpu.txt"),
        ({"precision": "fp16"}, "use --precision fp32"),
        ({"backend": "torch", "provider": "cuda"}, "sees no GPU"),
    ],
)
def test_the_command_line_ends_where_the_node_would_fall_back(options, message, ball, recon):
    run = recon(*ball.command(engine="compact", **options))
    assert run.code == 2
    assert len(run.errors) == 1 and message in run.errors[0]

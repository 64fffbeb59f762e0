# SPDX-License-Identifier: Apache-2.0
"""Adam beside torch's own, bit for bit, and what it does not import."""

import copy
import subprocess
import sys

import pytest
import torch

from recon_node.engines.fields.adam import Adam

SHAPES = [(40, 4), (), (7,)]


@pytest.fixture
def parameters():
    generator = torch.Generator().manual_seed(20_260_101)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def _lower(parameters, optimiser, *, without=-1):
    """Makes a step down a sum of fourth powers; one parameter may have no part in it."""
    optimiser.zero_grad()
    sum(p.pow(4).sum() for i, p in enumerate(parameters) if i != without).backward()
    optimiser.step()


def test_steps_are_those_of_torch(parameters):
    twins = copy.deepcopy(parameters)
    ours = Adam([(parameters[:2], 1e-2), (parameters[2:], 3e-3)])
    groups = [{"params": twins[:2], "lr": 1e-2}, {"params": twins[2:], "lr": 3e-3}]
    theirs = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15, fused=True)
    for number in range(20):
        if number == 10:
            ours.rates = [0.5 * rate for rate in ours.rates]
            for group in theirs.param_groups:
                group["lr"] *= 0.5
        for args in ((parameters, ours), (twins, theirs)):
            _lower(*args, without=1 if number % 3 == 0 else -1)
    for ours, theirs in zip(parameters, twins, strict=True):
        assert torch.equal(ours, theirs)


def test_a_restored_state_goes_on_as_the_first_did(parameters):
    optimiser = Adam([(parameters, 1e-2)])
    _lower(parameters, optimiser)
    twins, state = copy.deepcopy(parameters), copy.deepcopy(optimiser.state_dict())
    other = Adam([(twins, 1e-2)])
    other.load_state_dict(state)
    for args in ((parameters, optimiser), (twins, other)):
        _lower(*args)
    for first, second in zip(parameters, twins, strict=True):
        assert torch.equal(first, second)
    assert torch.equal(state["steps"][0], torch.tensor(1.0))  # not shared with the optimiser


def test_the_state_of_fewer_parameters_is_refused(parameters):
    with pytest.raises(ValueError, match="zip"):
        Adam([(parameters, 1e-2)]).load_state_dict(Adam([(parameters[:1], 1e-2)]).state_dict())


def test_no_compiler_is_imported():
    """Torch may begin to in a later version, and a refinement would wait for it."""
    code = """
import sys, torch
from recon_node.engines.fields.adam import Adam
p = torch.nn.Parameter(torch.ones(3))
p.grad = torch.ones(3)
Adam([([p], 1e-2)]).step()
sys.exit("torch._dynamo" in sys.modules or float(p[0]) == 1)
"""
    assert subprocess.run([sys.executable, "-P", "-c", code]).returncode == 0

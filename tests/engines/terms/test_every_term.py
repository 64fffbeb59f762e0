# SPDX-License-Identifier: Apache-2.0
"""What each term has to survive: nothing known, nothing hit, no rays."""

import pytest
import torch

from recon_node.engines.terms.depth import Depth
from recon_node.engines.terms.distortion import Distortion
from recon_node.engines.terms.eikonal import Eikonal
from recon_node.engines.terms.free_space import FreeSpace
from recon_node.engines.terms.mask import Mask
from recon_node.engines.terms.normal_smoothness import NormalSmoothness
from recon_node.engines.terms.opacity_entropy import OpacityEntropy
from recon_node.engines.terms.perceptual import Perceptual
from recon_node.engines.terms.photometric import Photometric
from recon_node.engines.terms.prior import Prior
from recon_node.engines.terms.surface import Surface
from recon_node.engines.terms.term import values_of
from recon_node.engines.terms.total_variation import TotalVariation

OF_MEASUREMENTS = [Photometric(), Mask(), Depth(), Surface(), FreeSpace()]
OF_RENDERS = [OpacityEntropy(), Distortion(), NormalSmoothness(), TotalVariation()]
OF_THE_FIELD = [
    Eikonal(),
    Prior(torch.rand(9, 3, dtype=torch.float64), *torch.rand(2, 9, dtype=torch.float64)),
]
PATCHES = Perceptual(lambda pictures: [pictures])
EVERY = [*OF_MEASUREMENTS, *OF_RENDERS, *OF_THE_FIELD, PATCHES]


def _value(term, step):
    return values_of([term], step)[0]


def _name(term):
    return term.name


def _slopes(value, field):
    """Gradients of the field's parameters; zeros where the value does not depend on them."""
    if not value.requires_grad:
        return [torch.zeros(1)]
    return torch.autograd.grad(
        value, list(field.parameters()), allow_unused=True, materialize_grads=True
    )


def test_names_differ():
    assert len({term.name for term in EVERY}) == len(EVERY) == 12


@pytest.mark.parametrize("term", [*OF_MEASUREMENTS, PATCHES], ids=_name)
def test_nothing_known_says_nothing(term, ball, make_step):
    field = ball()
    nothing = {"masks": torch.nan, "depths": torch.nan, "depth_sigmas": torch.nan}
    value = _value(term, make_step(field, **nothing, patch_side=1, patch_count=3))
    assert value.item() == 0
    assert all((slope == 0).all() for slope in _slopes(value, field))


@pytest.mark.parametrize("term", EVERY, ids=_name)
def test_gaps_in_the_measurements_spread_no_nan(term, ball, make_step):
    field = ball()
    step = make_step(
        field,
        x=(0.0, 0.1, 0.2, 0.9),
        counts=[40, 0, 40, 40],
        masks=(1.0, 1.0, torch.nan, 0.0),
        depths=(1.5, torch.nan, 1.4, torch.nan),
        depth_sigmas=(0.01, torch.nan, 0.0, 0.01),
        patch_side=2,
        patch_count=1,
    )
    value = _value(term, step)
    assert value.isfinite() and value.shape == ()
    assert all(slope.isfinite().all() for slope in _slopes(value, field))


@pytest.mark.parametrize("term", [*OF_MEASUREMENTS, *OF_RENDERS, PATCHES], ids=_name)
def test_rays_without_samples_have_no_gradient(term, ball, make_step):
    """Leave out `surface`'s own points: a measured depth where nothing is rendered does pull."""
    field = ball()
    depths = torch.nan if isinstance(term, Surface) else 1.5
    step = make_step(field, counts=[0, 0, 0], depths=depths, patch_side=1, patch_count=3)
    value = _value(term, step)
    assert value.isfinite()
    assert all((slope == 0).all() for slope in _slopes(value, field))


@pytest.mark.parametrize("term", [*OF_MEASUREMENTS, *OF_RENDERS, *OF_THE_FIELD], ids=_name)
def test_no_rays_are_survived(term, ball, make_step):
    field = ball()
    value = _value(term, make_step(field, x=(), counts=[]))
    assert value.isfinite()
    assert all(slope.isfinite().all() for slope in _slopes(value, field))


@pytest.mark.parametrize("term", EVERY, ids=_name)
def test_the_generator_decides_all_chance(term, ball, make_step):
    """Give the same answer to the same seed, and touch no other source of chance."""
    field = ball(stretch=1.1)
    measured = {"depths": 2.0, "patch_side": 1, "patch_count": 3}
    before = torch.get_rng_state()
    first, second = (_value(term, make_step(field, **measured)) for _ in range(2))
    assert first.item() == second.item() != 0
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("term", [*OF_MEASUREMENTS, *OF_RENDERS], ids=_name)
def test_densities_are_served_or_refused_by_name(term, fog, make_step):
    """Serve every field that has no surface, but for the two terms about signed distances."""
    field = fog()
    field.normals = lambda points: torch.ones_like(points)
    step = make_step(field, depths=1.5)
    if isinstance(term, Surface):
        with pytest.raises(ValueError, match="leave it out"):
            _value(term, step)
        return
    assert _value(term, step).isfinite()

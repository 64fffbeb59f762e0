# SPDX-License-Identifier: Apache-2.0
"""Feature distances over patches: values by hand, gradients, patches without an object."""

import pytest
import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.terms.perceptual import Perceptual


def _colours(pictures):
    """The pictures as their own only features."""
    return [pictures]


def test_the_value_is_the_distance_of_normalised_features(ball, make_step):
    """Render red where the picture is green: two unit vectors at right angles, ‖·‖² = 2."""
    red = make_step(
        ball(rgb=(1.0, 0.0, 0.0)), x=4 * (0.0,), patch_side=2, patch_count=1, rgbs=(0.0, 0.7, 0.0)
    )
    assert Perceptual(_colours)(red).item() == pytest.approx(2.0, rel=1e-3)


def test_layers_add_and_patches_are_averaged_by_weight(ball, make_step):
    step = make_step(
        ball(rgb=(1.0, 0.0, 0.0)),
        x=5 * (0.0,),
        rgbs=(0.0, 1.0, 0.0),
        weights=(1.0, 0.5, 0.0, 0.0, 9.0),
        patch_side=1,
        patch_count=4,
    )
    twice = Perceptual(lambda pictures: [pictures, 3 * pictures])
    assert twice(step).item() == pytest.approx(2 * 2.0 * (1 + 0.5) / 4, rel=1e-3)


def test_pictures_are_laid_out_row_after_row(ball, make_step):
    seen = []
    x = torch.linspace(-0.3, 0.3, 18).tolist()
    rgbs = torch.arange(18 * 3, dtype=torch.float64).reshape(18, 3) / 54
    step = make_step(ball(), x=x, rgbs=rgbs, patch_side=3, patch_count=2)
    Perceptual(lambda pictures: [seen.append(pictures) or pictures])(step)
    (pictures,) = seen
    assert pictures.shape == (4, 3, 3, 3)
    wanted = rgbs.reshape(2, 3, 3, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(pictures[2:], wanted)


def test_equal_and_unknown_pixels_are_no_difference(ball, make_step):
    """Match the colour, pass the ball outside the mask, and leave a wrong pixel unknown."""
    step = make_step(
        ball(rgb=(0.2, 0.4, 0.6)),
        x=(0.0, 0.9, 0.1, 0.1),
        rgbs=torch.tensor([[0.2, 0.4, 0.6], [1, 0, 0], [0.2, 0.4, 0.6], [1, 0, 0]]),
        masks=(1.0, 0.0, 1.0, torch.nan),
        patch_side=2,
        patch_count=1,
    )
    assert Perceptual(_colours)(step).item() == pytest.approx(0, abs=1e-6)


def test_black_features_are_no_nan(ball, make_step):
    field = ball(rgb=(0.0, 0.0, 0.0))
    step = make_step(field, x=4 * (0.0,), rgbs=0.0, patch_side=2, patch_count=1)
    term = Perceptual(lambda pictures: [pictures - pictures.detach()])
    value = term(step)
    (gradient,) = torch.autograd.grad(value, field.rgb)
    assert value.item() == 0 and gradient.isfinite().all()


def test_gradients_are_exact(ball, make_step):
    generator = torch.Generator().manual_seed(2)
    kernel = torch.randn(5, 3, 2, 2, generator=generator, dtype=torch.float64)
    term = Perceptual(lambda pictures: [torch.nn.functional.conv2d(pictures, kernel).tanh()])

    def value(rgb):
        field = ball()
        del field.rgb
        field.rgb = rgb
        return term(make_step(field, x=9 * (0.1,), patch_side=3, patch_count=1))

    rgb = torch.tensor([0.2, 0.4, 0.6], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, rgb)


def test_a_batch_without_patches_is_refused(ball, make_step):
    with pytest.raises(InvalidInputError, match="single pixels; sample square patches"):
        Perceptual(_colours)(make_step(ball()))

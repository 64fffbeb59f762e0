# SPDX-License-Identifier: Apache-2.0
"""A triplane's field against torch's grid_sample and a plain network of the published form."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.triplane import TriplaneField

CHANNELS, HIDDEN, SIZE = 5, 8, 6
LATTICE = np.linspace(-0.95, 0.95, 23, dtype=np.float32)  # a little beyond the cube


class Decoder:
    """Two layers of random weights behind the first one, whose bias it adds; in NumPy."""

    name = "numpy"
    status = "NumPy on the CPU"

    def __init__(self, *, concurrency=1):
        rng = np.random.default_rng(1)
        self.concurrency = concurrency
        self.bias = rng.normal(size=HIDDEN).astype(np.float32)
        self.last = rng.normal(size=(HIDDEN, 4)).astype(np.float32)
        self.asked = []

    def run(self, inputs, outputs=None):
        self.asked.append(outputs)
        x = inputs["hidden"] + self.bias
        x = x / (1 + np.exp(-x)) @ self.last
        answers = {"density": x[:, 0], "colour": 1 / (1 + np.exp(-x[:, 1:]))}
        return {name: answers[name] for name in outputs or answers}


def features_and_first_layer():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, CHANNELS, SIZE, SIZE)).astype(np.float32)
    return features, rng.normal(size=(HIDDEN, 3 * CHANNELS)).astype(np.float32)


def triplane_field(decoder):
    features, first = features_and_first_layer()
    slices = first.reshape(HIDDEN, 3, CHANNELS)
    return TriplaneField(decoder, np.einsum("hkc,kcij->khij", slices, features))


def published_form(points, decoder):
    """The four outputs as TripoSR computes them: sample, concatenate, all layers."""
    features, first = features_and_first_layer()
    scaled = torch.from_numpy(points / np.float32(0.87))
    pairs = torch.stack([scaled[:, [0, 1]], scaled[:, [0, 2]], scaled[:, [1, 2]]])
    sampled = functional.grid_sample(
        torch.from_numpy(features), pairs[:, None], align_corners=False, mode="bilinear"
    )
    joined = sampled[:, :, 0].permute(2, 0, 1).reshape(len(points), -1)
    first, bias = torch.from_numpy(first), torch.from_numpy(decoder.bias)
    x = functional.silu(functional.linear(joined, first, bias))
    out = x @ torch.from_numpy(decoder.last)
    return out[:, 0].numpy(), torch.sigmoid(out[:, 1:]).numpy()


@pytest.mark.parametrize("concurrency", [1, 2])
def test_density_and_colours_are_those_of_the_published_form(concurrency):
    decoder = Decoder(concurrency=concurrency)
    field = triplane_field(decoder)
    # Beyond the last pixels' centres and beyond the cube too, where the planes fade to zero.
    points = np.random.default_rng(2).uniform(-1.2, 1.2, size=(5000, 3)).astype(np.float32)
    density, colours = published_form(points, decoder)
    np.testing.assert_allclose(field.density(points), density, atol=2e-5)
    np.testing.assert_allclose(field.colours(points), colours, atol=1e-5)
    assert set(decoder.asked) == {("density",), ("colour",)}


def test_a_lattice_is_as_its_points():
    field = triplane_field(Decoder())
    indices = np.random.default_rng(3).integers(0, len(LATTICE), size=(4000, 3)).astype(np.int32)
    np.testing.assert_allclose(
        field.on_lattice(LATTICE)(indices), field.density(LATTICE[indices]), atol=2e-5
    )


def test_far_from_the_cube_nothing_is_left_of_the_planes():
    decoder = Decoder()
    far = triplane_field(decoder).density(np.full((1, 3), 3.0, np.float32))
    nothing = decoder.run({"hidden": np.zeros((1, HIDDEN), np.float32)})["density"]
    np.testing.assert_array_equal(far, nothing)


def test_no_points_have_no_densities():
    field = triplane_field(Decoder())
    assert field.density(np.empty((0, 3), np.float32)).shape == (0,)
    assert field.colours(np.empty((0, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("shape", [(1, 3, 8, 6, 6), (2, 8, 6, 6), (3, 8, 6, 5)])
def test_planes_of_another_shape_are_refused(shape):
    with pytest.raises(InvalidInputError, match=r"shape \(3, H, S, S\), got"):
        TriplaneField(Decoder(), np.zeros(shape, np.float32))

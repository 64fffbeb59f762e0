# SPDX-License-Identifier: Apache-2.0
"""The weights that are shipped: small, whole, belonging together, and described."""

import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import TENSORS_DIGEST_KEY, checked_weights, read_layout


def test_the_weights_are_shipped_small_and_with_a_digest():
    path = WEIGHTS_DIRECTORY / WEIGHTS_FILE
    assert path.stat().st_size <= 20e6
    checked_weights(path)
    notes = read_layout(path.read_bytes(), path).notes
    assert TENSORS_DIGEST_KEY in notes
    assert int(notes["step"]) > 0 and int(notes["samples"]) > 0


@pytest.mark.parametrize("network", [ENCODER, DECODER], ids=lambda network: network.name)
@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_every_backend_loads_them(backend, network):
    assert load_backend(backend, network, WEIGHTS_DIRECTORY).name == backend


def test_the_model_card_lies_beside_them():
    card = (WEIGHTS_DIRECTORY / "MODEL_CARD.md").read_text().lower()
    for word in ("licence", "attribution", "seed", "figures", "limits"):
        assert word in card

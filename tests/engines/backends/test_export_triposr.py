# SPDX-License-Identifier: Apache-2.0
"""The exported TripoSR network answers as the torch module does, for any batch and any points."""

import numpy as np
import onnx
import pytest
import torch

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.export_triposr import export_triposr
from recon_node.engines.errors import OutputError, WeightsError
from recon_node.engines.lrm.triposr.checkpoint import stored_model
from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER, WEIGHTS_FILE

SIDE = 512


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_the_folder_holds_the_files_and_nothing_unfinished(tiny_triposr):
    names = {path.name for path in tiny_triposr.iterdir()}
    assert names == {WEIGHTS_FILE, "encoder.onnx", "decoder.onnx"}


@pytest.mark.parametrize("count", [1, 3])
def test_planes_are_those_of_torch_for_any_batch(count, tiny_checkpoint, tiny_triposr, rng):
    image = rng.uniform(0, 1, (count, 3, SIDE, SIDE)).astype(np.float32)
    with torch.inference_mode():
        expected = stored_model(tiny_checkpoint).encoder(torch.from_numpy(image)).numpy()
    planes = load_backend("onnxruntime", ENCODER, tiny_triposr).run({"image": image})["planes"]
    assert planes.shape == (count, 3, 64, 8, 8)
    assert relative_error(planes, expected) < 1e-5


@pytest.mark.parametrize("count", [1, 2, 5000])
def test_points_are_answered_as_torch_does(count, tiny_checkpoint, tiny_triposr, rng):
    hidden = rng.normal(size=(count, 64)).astype(np.float32)
    with torch.inference_mode():
        density, colour = stored_model(tiny_checkpoint).decoder(torch.from_numpy(hidden))
    answer = load_backend("onnxruntime", DECODER, tiny_triposr).run({"hidden": hidden})
    assert answer["density"].shape == (count,) and answer["colour"].shape == (count, 3)
    assert relative_error(answer["density"], density.numpy()) < 1e-5
    assert relative_error(answer["colour"], colour.numpy()) < 1e-5


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_only_what_is_asked_is_answered(name, tiny_triposr, rng):
    backend = load_backend(name, DECODER, tiny_triposr)
    hidden = {"hidden": rng.normal(size=(7, 64)).astype(np.float32)}
    both = backend.run(hidden)
    for port in DECODER.outputs:
        alone = backend.run(hidden, [port])
        assert list(alone) == [port]
        np.testing.assert_array_equal(alone[port], both[port])


def test_weights_are_pointed_at_and_what_follows_from_them_is_kept(tiny_triposr):
    graph = onnx.load(tiny_triposr / "encoder.onnx", load_external_data=False).graph
    inside = {
        initializer.name
        for initializer in graph.initializer
        if initializer.data_location != onnx.TensorProto.EXTERNAL and initializer.ByteSize() > 1000
    }
    assert inside == {"tokens", "positions", "columns", "prefix"}


def test_what_cannot_be_written_leaves_nothing(tiny_checkpoint, tmp_path):
    (tmp_path / WEIGHTS_FILE).mkdir()
    with pytest.raises(OutputError, match=f"cannot write .*{WEIGHTS_FILE}"):
        export_triposr(tiny_checkpoint, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS_FILE]


def test_a_changed_weight_is_seen(tiny_triposr, tmp_path):
    for path in tiny_triposr.iterdir():
        content = bytearray(path.read_bytes())
        if path.name == WEIGHTS_FILE:
            content[-1] ^= 1
        (tmp_path / path.name).write_bytes(content)
    with pytest.raises(WeightsError, match="exported for other weights"):
        load_backend("onnxruntime", ENCODER, tmp_path)


def test_the_weights_are_readable_by_those_who_may_read_the_graphs(tiny_triposr):
    assert len({path.stat().st_mode & 0o777 for path in tiny_triposr.iterdir()}) == 1

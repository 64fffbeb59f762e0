# SPDX-License-Identifier: Apache-2.0
"""From any checkpoint of the TripoSR family to the network in torch: strictly, and without a copy.

The network is built without memory and takes over the tensors of the file, which is mapped into
memory, not read. Nothing is unpickled but what torch's weights_only allows, and the numbers that
training files keep beside the tensors.
"""

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from recon_node.engines.errors import InvalidInputError, OutputError, WeightsError
from recon_node.engines.lrm.triposr.checkpoint_file import Format, inspect_checkpoint
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.source import weights_file

HEAD_WIDTH = 64  # channels of an attention head in every network of the family
NESTING = "state_dict"  # under which training files keep the tensors
WRAPPING = "module."  # that distributed training puts before every key
UNUSED = "image_tokenizer.model.pooler."  # computed by the official code and thrown away
_TOLD = 4  # keys that an error names of each kind

# Scalars of NumPy, such as the best score so far; NumPy 1 and 2 pickle them under other names.
_SCALAR = np.float64(0.0).__reduce__()[0]
_NUMBERS = (
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
)

_STRANGERS = {  # a key that only this other model has -> what to say of it
    "image_estimator.": "it is an SF3D checkpoint, another architecture under another licence",
    "synthesizer.": "it is an OpenLRM checkpoint, another architecture (its weights are CC BY-NC)",
    "camera_embedder.": "it is an SF3D or OpenLRM checkpoint, another architecture",
    "encoder.stem.": "it holds the weights of recon's own network: use --engine compact",
}


def stored_model(weights: Path, *, device: str = "cpu") -> TripoSR:
    """The network with the weights of a file, folder or repository, in float32, ready to run.

    Args:
        weights: As `weights_file` takes them.
        device: Torch device.

    Raises:
        WeightsError: The weights are missing, corrupt, or those of another model.
    """
    path = weights_file(weights)
    state = _tensors(path)
    model = _network_of(state, path)
    state = {name: tensor.to(device, torch.float32) for name, tensor in state.items()}
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(False).eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """Every tensor of a checkpoint by its official key, of the type it is stored in.

    Those of safetensors and of torch since 1.6 are mapped into memory, not read.

    Raises:
        WeightsError: The file is corrupt, holds more than tensors and numbers, or another model.
    """
    state = _tensors(path)
    _network_of(state, path)
    return state


def write_state(state: Mapping[str, Tensor], path: Path, notes: Mapping[str, str]) -> None:
    """Writes a safetensors file, whole or not at all.

    Args:
        state: Tensors by key.
        path: The file; what was there before stays until this one is whole.
        notes: For its header.

    Raises:
        OutputError: It cannot be written.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        mode = unfinished.stat().st_mode  # safetensors would let nobody else read the file
        tensors = {name: tensor.contiguous() for name, tensor in state.items()}
        safetensors.torch.save_file(tensors, unfinished, dict(notes))
        unfinished.chmod(mode)
        unfinished.replace(path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if not isinstance(error, OSError | safetensors.SafetensorError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"cannot write {path}: {reason}; free the place, or choose another one"
        ) from error


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their official keys, whatever they are."""
    kind = inspect_checkpoint(path).format
    if kind is Format.SAFETENSORS:
        stored = _read_safetensors(path)
    else:
        stored = _read_pickle(path, is_mapped=kind is Format.ZIP)
    if isinstance(stored.get(NESTING), Mapping):
        stored = stored[NESTING]
    tensors = {name: value for name, value in stored.items() if isinstance(value, Tensor)}
    if tensors and all(name.startswith(WRAPPING) for name in tensors):
        tensors = {name.removeprefix(WRAPPING): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(UNUSED)}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} is corrupt ({error}); fetch it again") from error


def _read_pickle(path: Path, *, is_mapped: bool) -> Mapping[str, object]:
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            stored = torch.load(path, map_location="cpu", mmap=is_mapped, weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise WeightsError(f"{path} is corrupt or cut short; fetch it again") from error
        raise WeightsError(
            f"{path} holds more than tensors and numbers ({named[1]}), and to read that would run "
            "code of the file; save its state_dict alone where you trust it: "
            "torch.save(checkpoint['state_dict'], …)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} is corrupt or cut short ({str(error).partition(chr(10))[0]}); fetch it again"
        ) from error
    if not isinstance(stored, Mapping):
        raise WeightsError(
            f"{path} holds a {type(stored).__name__}, not the tensors of a network by their names; "
            "name a checkpoint of TripoSR or Real3D"
        )
    return stored


def _config_of(state: Mapping[str, Tensor]) -> TripoSRConfig:
    """The sizes of a network by its tensors; where it has the widths that are published, those.

    What is published is compared with what is published: layers that are missing at the end are
    then missed. Tensors that fit nothing get the published sizes, too.
    """
    published = TripoSRConfig()
    try:
        image_width, _, patch_size, _ = state[
            "image_tokenizer.model.embeddings.patch_embeddings.projection.weight"
        ].shape
        _, width, plane_grid, _ = state["tokenizer.embeddings"].shape
        if (width, image_width) == (published.width, published.image_width):
            return published
        positions = state["image_tokenizer.model.embeddings.position_embeddings"].shape[1] - 1
        intermediate = "image_tokenizer.model.encoder.layer.0.intermediate.dense.weight"
        return TripoSRConfig(
            patch_size=patch_size,
            native_grid=round(positions**0.5),
            image_width=image_width,
            image_layers=_count(state, r"image_tokenizer\.model\.encoder\.layer\.(\d+)\."),
            image_heads=max(1, image_width // HEAD_WIDTH),
            image_hidden=state[intermediate].shape[0],
            plane_grid=plane_grid,
            width=width,
            layers=_count(state, r"backbone\.transformer_blocks\.(\d+)\."),
            heads=max(1, width // HEAD_WIDTH),
            plane_channels=state["post_processor.upsample.weight"].shape[1],
            hidden_width=state["decoder.layers.0.weight"].shape[0],
            hidden_layers=_count(state, r"decoder\.layers\.(\d+)\.") // 2,
        )
    except (KeyError, ValueError, IndexError, InvalidInputError):
        return published


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the largest number at that place of a key."""
    found = (re.match(pattern, name) for name in state)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _network_of(state: Mapping[str, Tensor], path: Path) -> TripoSR:
    """The network that the tensors fit, without memory of its own; fails with what does not fit."""
    with torch.device("meta"):
        model = TripoSR(_config_of(state))
    expected = model.state_dict()
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if not (missing or unexpected or misshapen):
        return model
    faults = ", ".join(
        _listed(names, kind)
        for names, kind in (
            (missing, "missing"),
            (unexpected, "unexpected"),
            (misshapen, "of another shape"),
        )
        if names
    )
    strangers = (
        told for start, told in _STRANGERS.items() if any(name.startswith(start) for name in state)
    )
    told = next(strangers, "name a checkpoint of TripoSR or Real3D, or fetch it again")
    raise WeightsError(
        f"{path} is not a whole TripoSR checkpoint; of its keys are {faults}; {told}"
    )


def _listed(names: Sequence[str], kind: str) -> str:
    """How many there are of a kind, and the first of them."""
    more = " …" if len(names) > _TOLD else ""
    return f"{len(names)} {kind} ({', '.join(names[:_TOLD])}{more})"

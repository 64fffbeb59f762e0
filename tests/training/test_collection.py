# SPDX-License-Identifier: Apache-2.0
"""Objects to train on: cut from the file, held out by name, drawn by favour, varied."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.training.collection import (
    Collection,
    TrainingObject,
    sample_procedural,
    vary,
)

COUNT = 5
HELD_OUT = 2


def volume(obj: TrainingObject) -> float:
    return Mesh(np.array(obj.vertices), np.array(obj.faces)).volume


def draws(collection: Collection, rng: np.random.Generator, count: int) -> np.ndarray:
    """How often each object was drawn, (COUNT,)."""
    shares = np.zeros(COUNT)
    known = [len(collection[index].vertices) for index in range(COUNT)]
    for _ in range(count):
        shares[known.index(len(collection.sample(rng).vertices))] += 1
    return shares


def test_objects_are_cut_whole_from_the_arrays(collection_folder):
    collection = Collection(collection_folder, held_out=False)
    for index in range(COUNT):
        obj = collection[index]
        assert len(obj.colors) == len(obj.parts) == len(obj.vertices)
        assert (obj.faces.min(), obj.faces.max()) == (0, len(obj.vertices) - 1)
        assert np.ptp(obj.vertices, axis=0).max() == pytest.approx(1, abs=1e-5)
        assert volume(obj) > 0
    assert [collection[index].textured for index in range(COUNT)] == [False] * 3 + [True, False]


def test_what_is_held_out_is_never_trained_on(collection_folder, rng):
    seen = draws(Collection(collection_folder, held_out=False), rng, 300)
    held = draws(Collection(collection_folder, held_out=True), rng, 50)
    assert (seen > 0).tolist() == [index != HELD_OUT for index in range(COUNT)]
    assert (held > 0).tolist() == [index == HELD_OUT for index in range(COUNT)]


def test_objects_are_named_and_have_a_size_where_it_is_known(collection_folder):
    held_out = Collection(collection_folder, held_out=True)
    assert held_out.names() == {"carton_13": HELD_OUT}
    assert held_out.longest(HELD_OUT) == pytest.approx(0.3)
    others = Collection(collection_folder, held_out=False)
    assert others.names() == {"mug_0": 0, "bottle_1": 1, "shoe_2": 3, "wire_3": 4}
    assert others.longest(1) is None


def test_categories_are_favoured_and_thin_things_are_not(collection_folder, rng):
    shares = draws(Collection(collection_folder, held_out=False), rng, 3000)
    # mug 2.5, bottle 1.5, shoe 1.2; wire 0.6, and 0.15 of it for filling a hundredth of its cube
    weights = np.array([2.5, 1.5, 0, 1.2, 0.6 * 0.15])
    np.testing.assert_allclose(shares / 3000, weights / weights.sum(), atol=0.03)
    assert shares[4] < 90


@pytest.mark.parametrize("name", ["objects_train.npz", "objects_train_occ64.npz"])
def test_a_missing_file_is_named(name, collection_folder, tmp_path):
    folder = Path(shutil.copytree(collection_folder, tmp_path / "data"))
    (folder / name).unlink()
    with pytest.raises(InvalidInputError, match=f"{name} does not exist; .*--data"):
        Collection(folder, held_out=False)


def test_a_collection_with_nothing_to_draw_is_refused(collection_folder, tmp_path):
    folder = Path(shutil.copytree(collection_folder, tmp_path / "data"))
    with np.load(folder / "objects_train.npz") as file:
        arrays = dict(file)
    arrays["name"][HELD_OUT] = "carton_0"
    np.savez(folder / "objects_train.npz", **arrays)
    Collection(folder, held_out=False)
    with pytest.raises(InvalidInputError, match="5 objects, none of them held out.*add objects"):
        Collection(folder, held_out=True)


def test_varied_objects_stay_normalised_and_outward(rng):
    for _ in range(30):
        obj = sample_procedural(rng)
        varied = vary(obj, rng)
        low, high = varied.vertices.min(axis=0), varied.vertices.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-6)
        assert (high - low).max() == pytest.approx(1, abs=1e-6)
        assert volume(varied) > 0
        assert varied.vertices.dtype == np.float32
        assert len(varied.colors) == len(varied.vertices)


def test_variants_stretch_turn_mirror_and_recolour(collection_folder):
    obj = Collection(collection_folder, held_out=False)[0]
    variants = [vary(obj, np.random.default_rng(seed)) for seed in range(60)]
    mirrored = [np.array_equal(v.faces, obj.faces[:, ::-1]) for v in variants]
    recoloured = [not np.array_equal(v.colors, obj.colors) for v in variants]
    standing = [  # a turn about z leaves the order of heights, but for a mirror image
        abs(np.corrcoef(v.vertices[:, 2], obj.vertices[:, 2])[0, 1]) > 0.999 for v in variants
    ]
    assert 15 < sum(mirrored) < 45
    assert 15 < sum(recoloured) < 45
    assert 30 < sum(standing) < 55
    for variant, is_new in zip(variants, recoloured, strict=True):
        if is_new:  # still one colour a part
            assert len(np.unique(np.column_stack([variant.parts, variant.colors]), axis=0)) == len(
                np.unique(variant.parts)
            )


def test_a_textured_object_keeps_its_colours(collection_folder):
    obj = Collection(collection_folder, held_out=False)[3]
    assert obj.textured
    for seed in range(20):
        assert vary(obj, np.random.default_rng(seed)).colors is obj.colors


def test_the_same_seed_gives_the_same_object(collection_folder):
    collection = Collection(collection_folder, held_out=False)
    rngs = (np.random.default_rng(4), np.random.default_rng(4))
    first, second = (vary(collection.sample(rng), rng) for rng in rngs)
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.colors, second.colors)

# SPDX-License-Identifier: Apache-2.0
"""A plan comes back only as it was stored, and only for what it was made of."""

import dataclasses
import json
import logging

import pytest

from recon_node.engines.backends.plan_cache import PlanCache, PlanKey
from recon_node.engines.errors import OutputError

KEY = PlanKey(
    network="encoder",
    graph_sha256="ab" * 32,
    precision="fp16",
    tensorrt="tensorrt_rtx-1.7.1.116",
    compute_capability="8.9",
    recipe=1,
)
PLAN = bytes(range(256)) * 40
OTHERS = {
    "network": "decoder",
    "graph_sha256": "cd" * 32,
    "precision": "bf16",
    "tensorrt": "tensorrt-10.9.0",
    "compute_capability": "12.0",
    "recipe": 2,
}


@pytest.fixture
def cache(tmp_path) -> PlanCache:
    """With one plan in it."""
    cache = PlanCache(tmp_path / "plans")
    cache.store(KEY, PLAN)
    return cache


def test_a_plan_comes_back(cache):
    assert bytes(cache.load(KEY)) == PLAN
    (stored,) = cache.plans()
    assert (stored.key, stored.fault) == (KEY, "")
    assert [path.name for path in cache.directory.iterdir()] == [KEY.file_name]


@pytest.mark.parametrize("field", OTHERS)
def test_every_field_makes_another_plan(field, cache):
    other = dataclasses.replace(KEY, **{field: OTHERS[field]})
    assert cache.load(other) is None
    assert other.file_name != KEY.file_name


def test_a_folder_that_is_not_there_holds_no_plan(tmp_path):
    cache = PlanCache(tmp_path / "none")
    assert cache.load(KEY) is None and cache.plans() == []
    assert not cache.directory.exists()


@pytest.mark.parametrize("field", OTHERS)
def test_a_plan_under_the_name_of_another_is_foreign(field, cache, caplog):
    other = dataclasses.replace(KEY, **{field: OTHERS[field]})
    cache.path(KEY).rename(cache.path(other))
    with caplog.at_level(logging.WARNING):
        assert cache.load(other) is None
    assert "made of something else; it is built again" in caplog.text


@pytest.mark.parametrize("part", ["magic", "length", "header", "plan", "digest"])
def test_a_flipped_bit_is_seen(part, cache):
    path = cache.path(KEY)
    content = bytearray(path.read_bytes())
    start = content.index(b"{")
    positions = {
        "magic": 3,
        "length": start - 7,
        "header": content.index(b"encoder"),
        "plan": len(content) - 100,
        "digest": content.index(b"plan_sha256") + 16,
    }
    content[positions[part]] ^= 1
    path.write_bytes(content)
    assert cache.load(KEY) is None
    (stored,) = cache.plans()
    assert stored.fault or stored.key != KEY


@pytest.mark.parametrize("length", [0, 10, 30, 200, -1])
def test_a_cut_plan_is_seen(length, cache):
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:length])
    assert cache.load(KEY) is None
    assert cache.plans()[0].fault


@pytest.mark.parametrize("header", [[], {}, {"plan_bytes": 3}, None])
def test_a_header_of_something_else_is_seen(header, cache):
    path = cache.path(KEY)
    content = path.read_bytes()
    start = content.index(b"{") - 8
    told = json.dumps(header).encode()
    path.write_bytes(content[:start] + len(told).to_bytes(8, "little") + told + PLAN)
    assert cache.load(KEY) is None
    assert "damaged" in cache.plans()[0].fault


def test_a_new_plan_replaces_the_old_one_while_that_is_read(cache):
    old = cache.load(KEY)
    cache.store(KEY, b"new")
    assert bytes(old) == PLAN
    assert bytes(cache.load(KEY)) == b"new"


def test_what_cannot_be_written_says_so(tmp_path):
    (tmp_path / "plans").write_text("a file")
    with pytest.raises(OutputError, match="cannot write .*--plan-directory"):
        PlanCache(tmp_path / "plans").store(KEY, PLAN)

# SPDX-License-Identifier: Apache-2.0
"""The worker's thread without ROS: whom it tells what, and when it stops."""

import threading

import pytest

from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.buffer import KeyframeConfig
from recon_node.refinement.object_views import ObjectViews
from recon_node.streams.change import ChangeConfig, ChangeDetector
from recon_node.streams.drops import DropCounter
from recon_node.streams.mailbox import Mailbox
from recon_node.streams.object_store import ObjectStore
from recon_node.worker import Worker

PATIENCE = 60.0  # [s]


@pytest.fixture
def told():
    """Set when the worker notifies."""
    return threading.Event()


@pytest.fixture
def gate():
    """Lets the engine be loaded."""
    return threading.Event()


@pytest.fixture
def worker(told, gate):
    """A worker that loads the hull as soon as the gate is open."""
    faults = []
    worker = Worker(
        lambda: gate.wait(PATIENCE) and HullEngine(),
        load_anywhere=HullEngine,
        mailbox=Mailbox(),
        store=ObjectStore(),
        change=ChangeDetector(ChangeConfig()),
        views=ObjectViews(KeyframeConfig(), objects=1, is_kept=False),
        moved=lambda object_id: None,
        is_refining=lambda object_id: False,
        drops=DropCounter(),
        expect=lambda mesh: None,
        prepare=lambda results: [],
        fault=faults.append,
        notify=told.set,
    )
    yield worker
    gate.set()
    assert worker.close(timeout=PATIENCE)
    assert not faults


def test_tells_that_the_engine_is_there(worker, gate, told):
    gate.set()
    assert told.wait(PATIENCE)
    assert worker.engine.name == "hull"


def test_tells_nobody_once_it_is_closed(worker, gate, told):
    """Not even when the engine comes later: what it would notify may be gone by then."""
    assert not worker.close(timeout=0.0)
    gate.set()
    assert worker.close(timeout=PATIENCE)
    assert worker.engine.name == "hull" and not told.is_set()

# SPDX-License-Identifier: Apache-2.0
"""The mailbox holds one job a key, loses none without telling, and wakes who waits."""

import threading
import time
from queue import SimpleQueue

from hypothesis import given
from hypothesis import strategies as st

from recon_node.streams.mailbox import Mailbox

_KEYS = st.sampled_from("abc")
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _KEYS),
        st.tuples(st.just("put_first"), st.none()),
        st.tuples(st.just("take"), st.none()),
        st.tuples(st.just("remove"), _KEYS),
        st.tuples(st.just("clear"), st.none()),
    ),
    max_size=60,
)


@given(steps=_STEPS)
def test_behaves_like_its_model(steps):
    """Hand out, replace or hold every job exactly once; oldest waiting key first."""
    mailbox, requests, jobs = Mailbox(), [], {}
    for number, (step, key) in enumerate(steps):
        if step == "put":
            assert mailbox.put(key, number) == jobs.get(key)
            jobs[key] = number  # in its old place
        elif step == "put_first":
            mailbox.put_first(number)
            requests.append(number)
        elif step == "take":
            oldest = next(iter(jobs), None)
            expected = requests.pop(0) if requests else jobs.pop(oldest, None)
            assert mailbox.take(timeout=0) == expected
        elif step == "remove":
            assert mailbox.remove(key) == jobs.pop(key, None)
        else:
            assert mailbox.clear() == requests + list(jobs.values())
            requests, jobs = [], {}
        assert len(mailbox) == len(requests) + len(jobs)


def test_job_waits_until_it_is_due():
    """Pass over a job that is not due, and hand it out once it is."""
    mailbox = Mailbox()
    due = time.monotonic() + 0.05
    mailbox.put("late", "late", not_before=due)
    mailbox.put("now", "now")
    assert mailbox.take(timeout=0) == "now"
    assert mailbox.take(timeout=0) is None
    assert mailbox.take(timeout=None) == "late"
    assert time.monotonic() >= due


def test_far_future_does_not_end_the_wait():
    """Wait for a job that is never due only as long as asked to."""
    mailbox = Mailbox()
    mailbox.put("never", "never", not_before=float("inf"))
    assert mailbox.take(timeout=0.01) is None
    assert len(mailbox) == 1


def _started(mailbox, use):
    """A thread that takes jobs, and uses them, until the mailbox is closed."""

    def work():
        while (job := mailbox.take(timeout=None)) is not None:
            use(job)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_put_wakes_and_close_ends():
    """Wake a waiting worker for a job, end it by close, and keep what came after for clear."""
    mailbox, taken = Mailbox(), SimpleQueue()
    thread = _started(mailbox, taken.put)
    mailbox.put("a", "a")
    assert taken.get(timeout=10) == "a"
    mailbox.put_first("request")
    assert taken.get(timeout=10) == "request"
    mailbox.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    mailbox.put("b", "b")
    assert mailbox.take(timeout=None) is None
    assert mailbox.clear() == ["b"]


def test_nothing_is_lost_between_threads():
    """Account for every job of two producers and two workers."""
    mailbox, taken, replaced = Mailbox(), [], []
    workers = [_started(mailbox, taken.append) for _ in range(2)]

    def produce(name):
        for number in range(500):
            old = mailbox.put(f"{name}{number % 3}", (name, number))
            replaced.extend([] if old is None else [old])

    producers = [threading.Thread(target=produce, args=(name,)) for name in "xy"]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    mailbox.close()
    for worker in workers:
        worker.join()
    everything = taken + replaced + mailbox.clear()
    assert sorted(everything) == sorted((name, n) for name in "xy" for n in range(500))

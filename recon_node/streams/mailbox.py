# SPDX-License-Identifier: Apache-2.0
"""What waits for a worker: one job per key, the newest."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass(frozen=True)
class _Waiting(Generic[Job]):
    job: Job
    not_before: float  # [s] of time.monotonic()


class Mailbox(Generic[Job]):
    """Jobs by key and requests in order, from any thread.

    A newer job of a key takes the place of the one that waits, place in the line included, so
    that a key that is put often is neither ahead of the others nor behind them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: deque[Job] = deque()
        self._jobs: dict[str, _Waiting[Job]] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many jobs and requests wait."""
        with self._changed:
            return len(self._requests) + len(self._jobs)

    def put(self, key: str, job: Job, *, not_before: float = 0.0) -> Job | None:
        """The job that it replaced, or None.

        Args:
            key: At most one job of it waits.
            job: What `take` is to return; not None, which there means nothing.
            not_before: When it is due [s] of `time.monotonic()`.
        """
        with self._changed:
            replaced = self._jobs.get(key)
            self._jobs[key] = _Waiting(job, not_before)
            self._changed.notify_all()
        return None if replaced is None else replaced.job

    def put_first(self, job: Job) -> None:
        """Adds a request: before every job, after earlier requests, never replaced."""
        with self._changed:
            self._requests.append(job)
            self._changed.notify_all()

    def take(self, timeout: float | None) -> Job | None:
        """The first request, else the job that waited longest of those that are due.

        Blocks until there is one.

        Args:
            timeout: How long to wait [s]; None waits for ever.

        Returns:
            The job, which no longer waits; None where the time is over or the mailbox closed.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if self._requests:
                    return self._requests.popleft()
                for key, waiting in self._jobs.items():
                    if waiting.not_before <= now:
                        return self._jobs.pop(key).job
                if now >= deadline:
                    return None
                due = min((waiting.not_before for waiting in self._jobs.values()), default=deadline)
                self._changed.wait(min(due - now, deadline - now, threading.TIMEOUT_MAX))
        return None

    def remove(self, key: str) -> Job | None:
        """The job that waited under the key, which no longer does; or None."""
        with self._changed:
            waiting = self._jobs.pop(key, None)
        return None if waiting is None else waiting.job

    def clear(self) -> list[Job]:
        """All that waited, requests first; nothing waits any more."""
        with self._changed:
            jobs = [*self._requests, *(waiting.job for waiting in self._jobs.values())]
            self._requests.clear()
            self._jobs.clear()
        return jobs

    def close(self) -> None:
        """Ends every `take`, now and later; what waits stays until `clear`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

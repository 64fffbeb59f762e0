# SPDX-License-Identifier: Apache-2.0
"""Pieces of points: sizes, order, threads."""

import threading

import numpy as np
import pytest

from recon_node.engines.pieces import SMALLEST_PIECE, Pieces


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("count", [0, 1, SMALLEST_PIECE, 5000, 20_001])
def test_answers_come_in_order_from_pieces_of_bounded_size(concurrency, count):
    numbers = np.arange(count)
    sizes = []

    def answer(piece):
        sizes.append(len(numbers[piece]))
        return 2 * numbers[piece]

    answers = Pieces(concurrency=concurrency, largest=2048).ask(answer, count)
    np.testing.assert_array_equal(answers, 2 * numbers)
    assert sum(sizes) == count and max(sizes, default=0) <= 2048


def test_answers_have_channels():
    answers = Pieces(concurrency=2, largest=2048).ask(
        lambda piece: np.arange(9000, dtype=np.float32).reshape(3000, 3)[piece], 3000, (3,)
    )
    np.testing.assert_array_equal(answers.ravel(), np.arange(9000))


def test_several_threads_answer_at_once():
    both = threading.Barrier(2, timeout=10)
    answers = Pieces(concurrency=2, largest=2048).ask(lambda piece: both.wait(), 4096)
    assert set(answers) == {0, 1}

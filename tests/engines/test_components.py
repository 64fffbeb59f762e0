# SPDX-License-Identifier: Apache-2.0
"""Connected components against a search one node at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.components import component_labels


def labels_by_search(count, edges):
    neighbours = [set() for _ in range(count)]
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    labels, pieces = [None] * count, 0
    for start in range(count):
        if labels[start] is None:
            stack = [start]
            while stack:
                node = stack.pop()
                if labels[node] is None:
                    labels[node] = pieces
                    stack.extend(neighbours[node])
            pieces += 1
    return labels


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 30))
    nodes = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(nodes, nodes), max_size=40))


@given(graphs())
def test_labels_are_those_of_a_search(graph):
    count, edges = graph
    found = component_labels(count, np.array(edges, np.int64).reshape(-1, 2))
    assert found.tolist() == labels_by_search(count, edges)


def test_a_long_shuffled_path_is_one_piece(rng):
    order = rng.permutation(20_000)
    edges = np.column_stack([order[:-1], order[1:]])
    assert component_labels(20_001, edges).max() == 1

# SPDX-License-Identifier: Apache-2.0
"""Connected components of an undirected graph, in numpy."""

import numpy as np


def component_labels(count: int, edges: np.ndarray) -> np.ndarray:
    """The component of every node, as 0, 1, 2, … in the order of their first nodes.

    Roots hook onto the smallest root beside them, then every chain is shortened to its root, until
    nothing changes: a few rounds, whatever the shape (Shiloach and Vishkin 1982).

    >>> component_labels(5, np.array([[1, 3], [3, 4]])).tolist()
    [0, 1, 2, 1, 1]

    Args:
        count: number of nodes N.
        edges: int (M, 2), pairs of nodes that belong together.

    Returns:
        i64 (N,).
    """
    root = np.arange(count)
    a, b = edges[:, 0], edges[:, 1]
    while True:
        root_a, root_b = root[a], root[b]
        apart = root_a != root_b
        if not apart.any():
            break
        a, b, root_a, root_b = a[apart], b[apart], root_a[apart], root_b[apart]
        np.minimum.at(root, np.maximum(root_a, root_b), np.minimum(root_a, root_b))
        while True:
            shorter = root[root]
            if np.array_equal(shorter, root):
                break
            root = shorter
    is_root = root == np.arange(count)
    return (np.cumsum(is_root) - 1)[root]

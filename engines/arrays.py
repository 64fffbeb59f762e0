# SPDX-License-Identifier: Apache-2.0
"""Checks of the arrays that the vocabulary types hold: dtype, shape, finite values, read-only."""

import numpy as np

from recon_node.engines.errors import InvalidInputError


def checked_array(
    name: str, array: object, dtype: type, shape: tuple[int | None, ...], *, copy: bool = False
) -> np.ndarray:
    """The same values as a read-only array, after its type and shape were checked.

    Nothing is converted: a wrong dtype is the caller's mistake and often means wrong values too
    (a mask of 0/255 bytes, a depth in millimetres).

    Args:
        name: what to call the array in the message, such as "View.mask".
        array: the array.
        dtype: the dtype that it must have.
        shape: the shape that it must have; None stands for any length.
        copy: own a contiguous copy instead of a read-only view of the caller's array.

    Returns:
        A read-only array.

    Raises:
        InvalidInputError: not an array, or another dtype or shape.
    """
    expected = np.dtype(dtype)
    if not isinstance(array, np.ndarray):
        raise InvalidInputError(
            f"{name} must be a numpy array of {expected}, got {type(array).__name__}"
        )
    if array.dtype != expected:
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}, but must be {expected}; convert it where it is read"
        )
    fits = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        raise InvalidInputError(f"{name} has shape {array.shape}, but must be ({wanted})")
    array = np.array(array, order="C") if copy else array.view()
    array.flags.writeable = False
    return array


def as_points(name: str, points: object, columns: int) -> np.ndarray:
    """The points as f64 (N, columns).

    Args:
        name: what to call them in the message.
        points: anything that numpy turns into numbers of that shape.
        columns: 2 or 3.

    Returns:
        f64 (N, columns).

    Raises:
        InvalidInputError: another shape.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise InvalidInputError(f"{name} has shape {array.shape}, but must be (N, {columns})")
    return array

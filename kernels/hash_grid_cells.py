# SPDX-License-Identifier: Apache-2.0
"""One point in one level of a hash grid: its cell, the corners' rows, and weights and slopes."""

import warp as wp

_PRIME_Y = wp.constant(wp.uint32(2654435761))
_PRIME_Z = wp.constant(wp.uint32(805459861))
# Warp counts negative indices from the end; telling the compiler of none saves a tenth of the time.
_NOT_NEGATIVE = wp.constant(wp.int32(0x7FFFFFFF))

Corners = wp.types.vector(length=8, dtype=wp.float32)  # corner c is (c & 1, (c >> 1) & 1, c >> 2)
_Places = wp.types.vector(length=8, dtype=wp.int32)


@wp.struct
class GridLevels:
    """Of each level: cells along an axis, first row, and the hash's mask (0: dense)."""

    resolutions: wp.array(dtype=wp.int32)
    firsts: wp.array(dtype=wp.int32)
    masks: wp.array(dtype=wp.uint32)


@wp.func
def scaled_position(position: wp.vec3, resolution: wp.int32):
    """The position in cells; what is no number becomes 0, lest rows beyond the table be met."""
    inside = wp.vec3(0.0, 0.0, 0.0)
    for axis in range(3):
        inside[axis] = wp.min(wp.max(position[axis], 0.0), 1.0) * wp.float32(resolution)
    return inside


@wp.func
def cell_of(scaled: wp.vec3, resolution: wp.int32):
    last = resolution - 1
    x = wp.min(wp.int32(scaled[0]), last)
    y = wp.min(wp.int32(scaled[1]), last)
    z = wp.min(wp.int32(scaled[2]), last)
    return wp.vec3i(x, y, z)


@wp.func
def place_in_cell(scaled: wp.vec3, cell: wp.vec3i):
    x = scaled[0] - wp.float32(cell[0])
    y = scaled[1] - wp.float32(cell[1])
    z = scaled[2] - wp.float32(cell[2])
    return wp.vec3(x, y, z)


@wp.func
def corner_rows(cell: wp.vec3i, levels: GridLevels, level: wp.int32):
    """Rows of the cell's corners."""
    places = _Places()
    first = levels.firsts[level]
    mask = levels.masks[level]
    if mask == wp.uint32(0):
        stride = levels.resolutions[level] + 1
        corner = first + cell[0] + stride * (cell[1] + stride * cell[2])
        for c in range(8):
            place = corner + c % 2 + stride * ((c / 2) % 2 + stride * (c / 4))
            places[c] = place & _NOT_NEGATIVE
    else:
        for c in range(8):
            x = wp.uint32(cell[0] + c % 2)
            y = wp.uint32(cell[1] + (c / 2) % 2) * _PRIME_Y
            z = wp.uint32(cell[2] + c / 4) * _PRIME_Z
            places[c] = (first + wp.int32((x ^ y ^ z) & mask)) & _NOT_NEGATIVE
    return places


@wp.func
def _products(low: wp.vec3, high: wp.vec3):
    """For each corner the product of its three axes' factors."""
    products = Corners()
    for c in range(8):
        x = wp.where(c % 2 == 0, low[0], high[0])
        y = wp.where((c / 2) % 2 == 0, low[1], high[1])
        z = wp.where(c / 4 == 0, low[2], high[2])
        products[c] = x * y * z
    return products


@wp.func
def _weights(within: wp.vec3):
    return _products(wp.vec3(1.0, 1.0, 1.0) - within, within)


@wp.func
def _slopes(within: wp.vec3, along: wp.int32):
    """Derivatives of the weights along one axis of the cell."""
    low = wp.vec3(1.0, 1.0, 1.0) - within
    high = within
    low[along] = -1.0
    high[along] = 1.0
    return _products(low, high)


@wp.func
def _bends(within: wp.vec3, still: wp.int32):
    """Mixed derivatives of the weights along the two other axes; those along one axis are zero."""
    low = wp.vec3(-1.0, -1.0, -1.0)
    high = wp.vec3(1.0, 1.0, 1.0)
    low[still] = 1.0 - within[still]
    high[still] = within[still]
    return _products(low, high)


@wp.func
def cells_per_length(position: wp.vec3, resolution: wp.int32):
    """How fast the place in the cell follows the position; not at all outside the cube."""
    speed = wp.vec3(0.0, 0.0, 0.0)
    for axis in range(3):
        if position[axis] >= 0.0 and position[axis] <= 1.0:
            speed[axis] = wp.float32(resolution)
    return speed


@wp.func
def corner_coefficients(
    position: wp.vec3,
    within: wp.vec3,
    resolution: wp.int32,
    tangents: wp.array(dtype=wp.vec3),
    i: wp.int32,
):
    """The weights, or where there are tangents the weights' derivatives along tangent i."""
    if not tangents:
        return _weights(within)
    along = wp.cw_mul(cells_per_length(position, resolution), tangents[i])
    slopes = along[0] * _slopes(within, 0)
    slopes += along[1] * _slopes(within, 1)
    slopes += along[2] * _slopes(within, 2)
    return slopes


@wp.func
def corner_slope(heights: Corners, within: wp.vec3):
    """Gradient in the cell of what has these heights at its corners."""
    steps = wp.vec4(0.0, 0.0, 0.0, 0.0)  # along the four edges in x
    values = wp.vec4(0.0, 0.0, 0.0, 0.0)  # on these edges
    for edge in range(4):
        steps[edge] = heights[2 * edge + 1] - heights[2 * edge]
        values[edge] = heights[2 * edge] + within[0] * steps[edge]
    steps_low = steps[0] + within[1] * (steps[1] - steps[0])
    steps_high = steps[2] + within[1] * (steps[3] - steps[2])
    low = values[1] - values[0]
    high = values[3] - values[2]
    x = steps_low + within[2] * (steps_high - steps_low)
    y = low + within[2] * (high - low)
    z = values[2] + within[1] * high - values[0] - within[1] * low
    return wp.vec3(x, y, z)


@wp.func
def corner_bend(heights: Corners, within: wp.vec3, along: wp.vec3):
    """How that gradient changes along a direction."""
    xy = wp.dot(heights, _bends(within, 2))
    xz = wp.dot(heights, _bends(within, 1))
    yz = wp.dot(heights, _bends(within, 0))
    x = xy * along[1] + xz * along[2]
    y = xy * along[0] + yz * along[2]
    z = xz * along[0] + yz * along[1]
    return wp.vec3(x, y, z)

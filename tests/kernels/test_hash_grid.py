# SPDX-License-Identifier: Apache-2.0
"""The hash encoding against plain torch, in values and in gradients of two orders."""

import pytest
import torch

from recon_node.kernels import hash_grid, reference
from recon_node.kernels.hash_grid import hash_encode, hash_slopes
from recon_node.kernels.hash_grid_config import HashGridConfig

CONFIGS = [
    HashGridConfig(levels=6, features=2, table_size=1 << 11, base=4, finest=80),
    HashGridConfig(levels=3, features=4, table_size=1 << 12, base=5, finest=40),
    HashGridConfig(levels=1, features=1, table_size=1 << 9, base=7, finest=7),
    HashGridConfig(levels=2, features=8, table_size=1 << 8, base=16, finest=1000),
]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # of sums of some hundred terms of size 1


@pytest.fixture
def draw(device):
    """Normal numbers of a shape, drawn on the CPU."""
    generator = torch.Generator().manual_seed(20_260_101)
    return lambda *shape: torch.randn(shape, generator=generator).to(device)


def _positions(draw, count):
    """Points in the cube, beyond it, on its faces and corners, and on vertices of levels."""
    positions = draw(count, 3).mul(0.3).add(0.5)
    positions[:3] = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0.25, 0.5, 1]])
    return positions


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_values_and_gradients_equal_those_of_the_twin(draw, config):
    leaves = _positions(draw, 300), draw(*config.table_shape), draw(300, config.width)
    directions = draw(300, 3), draw(*config.table_shape)
    answers = []
    for module in (hash_grid, reference):
        positions, table, cotangents = (leaf.clone().requires_grad_() for leaf in leaves)
        features = module.hash_encode(positions, table, config=config)
        first = torch.autograd.grad(features, (positions, table), cotangents, create_graph=True)
        along = sum((f * d).sum() for f, d in zip(first, directions, strict=True))
        second = torch.autograd.grad(along, (positions, table, cotangents))
        slopes = module.hash_slopes(positions, table, cotangents, config=config)
        third = torch.autograd.grad(slopes, (positions, table, cotangents), directions[0])
        answers.append((features, *first, *second, slopes, *third))
    for ours, theirs in zip(*answers, strict=True):
        scale = max(theirs.abs().max().item(), 1.0)  # of second derivatives: cells a side, squared
        torch.testing.assert_close(ours / scale, theirs / scale, **CLOSE)


@pytest.mark.parametrize("wanted", ["positions", "table"])
def test_one_gradient_alone_is_that_of_both(draw, wanted):
    config = CONFIGS[0]
    leaves = {"positions": _positions(draw, 50), "table": draw(*config.table_shape)}
    cotangents = draw(50, config.width)
    both = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
    hash_encode(both["positions"], both["table"], config=config).backward(cotangents)
    alone = {name: leaf.clone().requires_grad_(name == wanted) for name, leaf in leaves.items()}
    hash_encode(alone["positions"], alone["table"], config=config).backward(cotangents)
    torch.testing.assert_close(alone[wanted].grad, both[wanted].grad, **CLOSE)


def test_a_dense_level_reproduces_a_linear_function(draw, device):
    """Put a linear function into the vertices; find it, and its gradient, between them."""
    config = HashGridConfig(levels=1, features=1, table_size=1 << 13, base=16, finest=16)
    axis = torch.arange(17) / 16
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")  # x is fastest in the table
    table = (2 * x - 3 * y + 5 * z + 1).reshape(-1, 1).to(device)
    positions = draw(200, 3).mul(0.2).add(0.5).clamp(0, 1).requires_grad_()
    values = hash_encode(positions, table, config=config)
    slope = torch.tensor([2.0, -3.0, 5.0], device=device)
    torch.testing.assert_close(values[:, 0], positions @ slope + 1, **CLOSE)
    (gradient,) = torch.autograd.grad(values.sum(), positions)
    inside = ((positions > 0) & (positions < 1)).all(dim=1)
    torch.testing.assert_close(gradient[inside], slope.expand(int(inside.sum()), 3), **CLOSE)


def test_a_hashed_vertex_reads_the_row_of_the_paper(device):
    """Compute eq. 4 with Python's integers."""
    config = HashGridConfig(levels=1, features=1, table_size=1 << 10, base=64, finest=64)
    table = torch.arange(1 << 10, dtype=torch.float32, device=device)[:, None]
    vertices = [(0, 0, 0), (1, 0, 0), (63, 64, 17), (5, 40, 64)]
    positions = torch.tensor(vertices, device=device) / 64
    rows = [(x ^ (y * 2654435761) ^ (z * 805459861)) % (1 << 10) for x, y, z in vertices]
    assert hash_encode(positions, table, config=config)[:, 0].tolist() == rows


def test_a_constant_is_constant_beyond_the_cube(draw):
    config = CONFIGS[0]
    positions = draw(100, 3).mul(5.0).requires_grad_()
    table = torch.ones(config.table_shape, device=positions.device)
    features = hash_encode(positions, table, config=config)
    torch.testing.assert_close(features, torch.ones_like(features), **CLOSE)
    outside = (positions < 0) | (positions > 1)
    (gradient,) = torch.autograd.grad((features * draw(100, config.width)).sum(), positions)
    assert outside.any() and (gradient[outside] == 0).all()


@pytest.mark.parametrize("config", CONFIGS[:2], ids=str)
def test_a_table_of_halves_counts_as_its_values(draw, config):
    """Sum the same numbers in the same precision; only the table's gradient is rounded."""
    halves, positions = draw(*config.table_shape).half(), _positions(draw, 300)
    cotangents, along = draw(300, config.width), draw(300, 3)
    answers = []
    for table in (halves, halves.float()):
        leaves = positions.clone().requires_grad_(), table.requires_grad_()
        features = hash_encode(*leaves, config=config)
        slopes, rows = torch.autograd.grad(features, leaves, cotangents, create_graph=True)
        (bends,) = torch.autograd.grad((slopes * along).sum(), leaves[1])
        answers.append((features, slopes, rows, bends))
        assert rows.dtype == bends.dtype == table.dtype
    (features, slopes, *grads), (same_features, same_slopes, *same_grads) = answers
    torch.testing.assert_close(features, same_features, **CLOSE)
    torch.testing.assert_close(slopes, same_slopes, **CLOSE)
    for ours, exact in zip(grads, same_grads, strict=True):
        half_ulp = 2**-11  # what rounding to halves may change
        torch.testing.assert_close(ours.float(), exact, rtol=2 * half_ulp, atol=1e-4)


def test_no_points_have_no_features(draw):
    config = CONFIGS[0]
    table = draw(*config.table_shape).requires_grad_()
    positions = draw(0, 3).requires_grad_()
    features = hash_encode(positions, table, config=config)
    assert features.shape == (0, config.width)
    features.sum().backward()
    assert not table.grad.any() and positions.grad.shape == (0, 3)
    assert hash_slopes(positions, table, features, config=config).shape == (0, 3)


def test_positions_that_are_no_numbers_meet_no_row_beyond_the_table(draw):
    config = CONFIGS[0]
    table = draw(*config.table_shape)
    positions = table.new_tensor([[torch.nan] * 3, [torch.inf, -torch.inf, torch.nan]])
    features = hash_encode(positions, table, config=config)
    assert features.isfinite().all()


def test_the_same_sums_come_out_twice(draw):
    """On a CPU additions have an order; replaying with the same seed is equal bit for bit."""
    config, positions = CONFIGS[0], _positions(draw, 500).cpu()
    cotangents = draw(500, config.width).cpu()
    gradients = []
    for _ in range(2):
        table = torch.zeros(config.table_shape, requires_grad=True)
        hash_encode(positions, table, config=config).backward(cotangents)
        gradients.append(table.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("positions", "table", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(CONFIGS[0].table_shape), r"positions has shape \(4, 2\)"),
        (torch.zeros(4, 3), torch.zeros(7, 2), r"table has shape \(7, 2\)"),
        (torch.zeros(4, 3).double(), torch.zeros(7, 2), r"positions.to\(torch.float32\)"),
        (
            torch.zeros(4, 3),
            torch.zeros(CONFIGS[0].table_shape).double(),
            r"table.to\(torch.float32",
        ),
    ],
)
def test_what_no_kernel_can_read_is_refused(positions, table, message):
    with pytest.raises(ValueError, match=message):
        hash_encode(positions, table, config=CONFIGS[0])


def test_cotangents_of_another_width_are_refused():
    table = torch.zeros(CONFIGS[0].table_shape)
    with pytest.raises(ValueError, match=r"cotangents has shape \(4, 5\); .*\(4, 12\)"):
        hash_slopes(torch.zeros(4, 3), table, torch.zeros(4, 5), config=CONFIGS[0])

# SPDX-License-Identifier: Apache-2.0
"""Kernels on torch's tensors: what is written is in the tensor, what does not fit is refused."""

import pytest
import torch
import warp as wp

from recon_node.kernels.torch_launch import check_tensor, launch

CPU = torch.device("cpu")


@wp.kernel(enable_backward=False)
def _double_kernel(values: wp.array(dtype=wp.float32)):
    values[wp.tid()] = 2.0 * values[wp.tid()]


def test_a_kernel_runs_between_two_operations_of_torch(device):
    values = torch.arange(5.0, device=device) + 1
    launch(_double_kernel, 5, [wp.from_torch(values)], device=values.device)
    assert (values + 1).tolist() == [3, 5, 7, 9, 11]


def test_a_fitting_tensor_passes():
    check_tensor("x", torch.zeros(7, 3), (None, 3), device=CPU)
    check_tensor("x", torch.zeros(7, dtype=torch.int64), (7,), device=CPU, dtype=torch.int64)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(7), r"x has shape \(7,\); pass one of shape \(any, 3\)"),
        (torch.zeros(7, 4), r"x has shape \(7, 4\); pass one of shape \(any, 3\)"),
        (torch.zeros(7, 3).half(), r"torch.float16, .* x.to\(torch.float32\)"),
        (torch.zeros(7, 3, device="meta"), r"x is on meta .* x.to\('cpu'\)"),
    ],
)
def test_another_tensor_is_refused(tensor, message):
    with pytest.raises(ValueError, match=message):
        check_tensor("x", tensor, (None, 3), device=CPU)

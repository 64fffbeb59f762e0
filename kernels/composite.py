# SPDX-License-Identifier: Apache-2.0
"""Matter along rays summed up to weights, opacities, depths and colours, with adjoints by hand.

The discrete emission-absorption model (Max 1995): with the optical thickness s_k = sigma_k (t_end -
t_start) of sample k and the transmittance T_k = exp(-Σ_{j<k} s_j) in front of it, its weight is
w_k = T_k (1 - exp(-s_k)). A ray ends before the first sample with T_k < `stop`; what lies behind
has weight zero and no gradient. With q_k the gradient of the loss in w_k, that in sigma_k is
(t_end - t_start) (T_{k+1} q_k - Σ_{j>k} w_j q_j), summed from the far end.
"""

import math
from dataclasses import dataclass

import torch
import warp as wp

from recon_node.kernels.ray_march import RaySamples
from recon_node.kernels.torch_launch import check_tensor, launch


@dataclass(frozen=True, eq=False)
class Composite:
    """M samples of N rays summed up; a ray without samples has zeros.

    Attributes:
        weights: Share of each sample in its ray's light, f32 (M,).
        opacities: Σ w of each ray, f32 (N,).
        depths: Σ w (t_start + t_end) / 2, not divided by the opacity, f32 (N,).
        rgbs: Σ w rgb, f32 (N, 3), on black.
    """

    weights: torch.Tensor
    opacities: torch.Tensor
    depths: torch.Tensor
    rgbs: torch.Tensor


@wp.struct
class _Samples:
    """Those of `RaySamples`, their matter, and the optical thickness at which a ray ends."""

    packed_info: wp.array2d(dtype=wp.int64)
    t_starts: wp.array(dtype=wp.float32)
    t_ends: wp.array(dtype=wp.float32)
    sigmas: wp.array(dtype=wp.float32)
    rgbs: wp.array(dtype=wp.vec3)
    thickest: wp.float32


@wp.func
def _thickness(samples: _Samples, k: wp.int64):
    return samples.sigmas[k] * (samples.t_ends[k] - samples.t_starts[k])


@wp.func
def _middle(samples: _Samples, k: wp.int64):
    return 0.5 * (samples.t_starts[k] + samples.t_ends[k])


@wp.kernel(enable_backward=False)
def _composite_kernel(
    samples: _Samples,
    weights: wp.array(dtype=wp.float32),
    opacities: wp.array(dtype=wp.float32),
    depths: wp.array(dtype=wp.float32),
    rgbs: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    k = samples.packed_info[i, 0]
    end = k + samples.packed_info[i, 1]
    passed = wp.float32(0.0)
    opacity = wp.float32(0.0)
    depth = wp.float32(0.0)
    rgb = wp.vec3(0.0, 0.0, 0.0)
    while k < end and passed <= samples.thickest:
        thickness = _thickness(samples, k)
        weight = wp.exp(-passed) * (1.0 - wp.exp(-thickness))
        passed = passed + thickness
        weights[k] = weight
        opacity = opacity + weight
        depth = depth + weight * _middle(samples, k)
        rgb = rgb + weight * samples.rgbs[k]
        k = k + wp.int64(1)
    opacities[i] = opacity
    depths[i] = depth
    rgbs[i] = rgb


@wp.kernel(enable_backward=False)
def _adjoint_kernel(
    samples: _Samples,
    weights: wp.array(dtype=wp.float32),
    from_weights: wp.array(dtype=wp.float32),
    from_opacities: wp.array(dtype=wp.float32),
    from_depths: wp.array(dtype=wp.float32),
    from_rgbs: wp.array(dtype=wp.vec3),
    into_sigmas: wp.array(dtype=wp.float32),
    into_rgbs: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    first = samples.packed_info[i, 0]
    k = first
    end = first + samples.packed_info[i, 1]
    passed = wp.float32(0.0)
    before = wp.float32(0.0)
    while k < end and passed <= samples.thickest:
        before = passed
        passed = passed + _thickness(samples, k)
        k = k + wp.int64(1)
    last = k - wp.int64(1)
    behind = wp.float32(0.0)
    while k > first:
        k = k - wp.int64(1)
        weight = weights[k]
        from_weight = from_weights[k] + from_opacities[i] + from_depths[i] * _middle(samples, k)
        from_weight = from_weight + wp.dot(from_rgbs[i], samples.rgbs[k])
        length = samples.t_ends[k] - samples.t_starts[k]
        into_sigmas[k] = length * (wp.exp(-passed) * from_weight - behind)
        into_rgbs[k] = weight * from_rgbs[i]
        behind = behind + weight * from_weight
        if k == last:  # may be so thick that a difference would forget what is in front of it
            passed = before
        else:
            passed = passed - _thickness(samples, k)


def _samples(
    samples: RaySamples, sigmas: torch.Tensor, rgbs: torch.Tensor, stop: float
) -> _Samples:
    arrays = _Samples()
    arrays.packed_info = wp.from_torch(samples.packed_info.contiguous())
    arrays.t_starts = wp.from_torch(samples.t_starts.detach().contiguous())
    arrays.t_ends = wp.from_torch(samples.t_ends.detach().contiguous())
    arrays.sigmas = wp.from_torch(sigmas.detach().contiguous())
    arrays.rgbs = wp.from_torch(rgbs.detach().contiguous(), dtype=wp.vec3)
    arrays.thickest = -math.log(stop) if stop > 0 else math.inf
    return arrays


class _Composite(torch.autograd.Function):
    """Weights, opacities, depths and colours, differentiable in sigmas and colours."""

    @staticmethod
    def forward(ctx, sigmas, rgbs, samples, stop):
        rays = len(samples.packed_info)
        weights = torch.zeros_like(sigmas)
        opacities, depths = sigmas.new_empty(2, rays)
        summed = sigmas.new_empty(rays, 3)
        arrays = [
            _samples(samples, sigmas, rgbs, stop),
            *(wp.from_torch(t) for t in (weights, opacities, depths)),
            wp.from_torch(summed, dtype=wp.vec3),
        ]
        launch(_composite_kernel, rays, arrays, device=sigmas.device)
        ctx.samples, ctx.stop = samples, stop
        ctx.save_for_backward(sigmas, rgbs, weights)
        return weights, opacities, depths, summed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, from_weights, from_opacities, from_depths, from_rgbs):
        sigmas, rgbs, weights = ctx.saved_tensors
        into_sigmas, into_rgbs = torch.zeros_like(sigmas), torch.zeros_like(rgbs)
        incoming = weights, from_weights, from_opacities, from_depths
        arrays = [
            _samples(ctx.samples, sigmas, rgbs, ctx.stop),
            *(wp.from_torch(t.detach().contiguous()) for t in incoming),
            wp.from_torch(from_rgbs.contiguous(), dtype=wp.vec3),
            wp.from_torch(into_sigmas),
            wp.from_torch(into_rgbs, dtype=wp.vec3),
        ]
        launch(_adjoint_kernel, len(ctx.samples.packed_info), arrays, device=sigmas.device)
        return into_sigmas, into_rgbs, None, None


def composite(
    samples: RaySamples, sigmas: torch.Tensor, rgbs: torch.Tensor, *, stop: float = 1e-4
) -> Composite:
    """Weights of samples, and opacities, depths and colours of rays.

    Gradients reach the sigmas and the rgbs, once, from all four answers, and not the samples. A
    field of opacities alpha, such as NeuS, passes sigma = -log(1 - alpha) / (t_end - t_start).

    Args:
        samples: Those of `ray_march`, M of N rays.
        sigmas: Density of each [1 / unit of t], not negative, f32 (M,).
        rgbs: Colour of each, f32 (M, 3).
        stop: Transmittance at which a ray ends (1e-4: instant-ngp's for training); 0 to follow
            all of it.

    Raises:
        ValueError: if an argument has another shape, type or device, or stop is not from [0, 1).
    """
    count, device = len(samples.t_starts), samples.t_starts.device
    check_tensor("sigmas", sigmas, (count,), device=device)
    check_tensor("rgbs", rgbs, (count, 3), device=device)
    if not 0 <= stop < 1:
        raise ValueError(f"stop = {stop} is no transmittance to end at; choose one from [0, 1)")
    return Composite(*_Composite.apply(sigmas, rgbs, samples, stop))

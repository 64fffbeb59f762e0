# SPDX-License-Identifier: Apache-2.0
"""On what ONNX Runtime computes: its execution providers by our names, and what each is told."""

from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import (
    BackendUnavailableError,
    InvalidInputError,
    require_package,
)

onnxruntime = require_package("onnxruntime", extra="gpu")

EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_FALLBACKS = {"cpu": (), "cuda": ("cpu",), "tensorrt": ("cuda", "cpu")}  # for what one cannot run
_PRECISIONS = {  # auto is the first; TensorRT's provider keeps to float32 where half is not safe
    "cpu": ("fp32",),
    "cuda": ("fp32", "fp16"),
    "tensorrt": ("fp16", "fp32"),
}


def chosen_provider(options: BackendOptions) -> str:
    """The provider that is asked for, or the one that `auto` means here.

    Raises:
        BackendUnavailableError: The installed package does not have it.
    """
    has = onnxruntime.get_available_providers()
    ours = [name for name, theirs in EXECUTION_PROVIDERS.items() if theirs in has]
    asked = options.provider
    if asked == "auto":
        return "cuda" if "cuda" in ours else "cpu"
    if asked not in ours:
        raise BackendUnavailableError(
            f"the provider {asked!r} was asked for, and the installed onnxruntime "
            f"{onnxruntime.__version__} has only {', '.join(ours)}; use --provider "
            f"{ours[0]}, or swap onnxruntime for onnxruntime-gpu as requirements/gpu.txt says"
        )
    return asked


def chosen_precision(options: BackendOptions, provider: str) -> str:
    """The precision that is asked for, or the one that `auto` means with this provider.

    Raises:
        InvalidInputError: The provider does not compute in it.
    """
    known = _PRECISIONS[provider]
    if options.precision == "auto":
        return known[0]
    if options.precision not in known:
        raise InvalidInputError(
            f"ONNX Runtime computes in {' or '.join(known)} with the provider {provider!r}, not in "
            f"{options.precision}; use --precision {known[0]}, or --backend torch"
        )
    return options.precision


def provider_list(
    provider: str, precision: str, options: BackendOptions
) -> list[tuple[str, dict[str, str]]]:
    """What a session is given: the provider and those it may leave nodes to, with their options.

    TensorRT's keeps the engines it builds beside our plans. TF32 is left out where float32 is
    asked for by name, because it rounds products to 10 bits.
    """
    told: dict[str, dict[str, str]] = {name: {} for name in EXECUTION_PROVIDERS}
    told["cuda"] = {"use_tf32": "0" if options.precision == "fp32" else "1"}
    if provider == "tensorrt":
        told["tensorrt"] = {
            "trt_fp16_enable": "1" if precision == "fp16" else "0",
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(options.plans / "onnxruntime"),
        }
    return [(EXECUTION_PROVIDERS[name], told[name]) for name in (provider, *_FALLBACKS[provider])]

"""8-bit matrix products in vLLM for processors on which its own are slow, or fail.

Without VNNI its own, by oneDNN, are no faster than float32 (docs/performance.md). FBGEMM's, which torch brings along,
are. With AMX its own take activations of 16 bits alone, and float32 ends the engine; there oneDNN's do it.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from agentdistill.processor import cpu_has_amx, cpu_has_vnni


def register() -> None:
    """Put a kernel in front of vLLM's own, on a processor that gains by it. May be called twice."""
    from vllm.platforms import current_platform
    from vllm.platforms.interface import CpuArchEnum, PlatformEnum

    # Elsewhere nothing of vLLM is touched: an accelerator's release of it may be built differently.
    if not current_platform.is_cpu() or current_platform.get_cpu_architecture() != CpuArchEnum.X86:
        return
    if cpu_has_vnni() and not cpu_has_amx():
        return
    kernel = _onednn_kernel() if cpu_has_vnni() else _fbgemm_kernel()
    from vllm.model_executor.kernels.linear import _POSSIBLE_INT8_KERNELS

    # vLLM's own function for this puts a kernel behind those that it has, where it would never be asked.
    kernels = _POSSIBLE_INT8_KERNELS[PlatformEnum.CPU]
    if kernel not in kernels:
        kernels.insert(0, kernel)


def pack(weight: torch.Tensor, scales: torch.Tensor) -> Any:
    """[out, in] int8 and [out] scales as FBGEMM wants them. Raises RuntimeError where torch was built without it."""
    if not can_pack():
        raise RuntimeError("torch has no FBGEMM on this processor")
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        zeros = torch.zeros(weight.shape[0], dtype=torch.long)
        rounded = torch._make_per_channel_quantized_tensor(weight.contiguous(), scales.double().flatten(), zeros, 0)
        return torch.ops.quantized.linear_prepack(rounded, None)
    finally:
        torch.backends.quantized.engine = before


def can_pack() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines


def product(x: torch.Tensor, packed: Any) -> torch.Tensor:
    """[tokens, in] times what was packed, [tokens, out] in the type of `x`; one scale a token for the activations.

    FBGEMM rounds all tokens with one scale, so each is divided by its own before. The divisor is the token's value of
    greatest magnitude, sign included: then zero lies in the lower half of the unsigned bytes, and the sums of two
    products that AVX2 keeps in 16 bits hardly ever saturate (docs/performance.md).
    """
    x32 = x.float()
    least, most = x32.amin(-1, keepdim=True), x32.amax(-1, keepdim=True)  # each alone is 5 times as fast as aminmax
    divisor = torch.where(most + least < 0, least, most)
    divisor.masked_fill_(divisor == 0, 1.0)
    return torch.ops.quantized.linear_dynamic(x32 / divisor, packed, False).mul_(divisor).to(x.dtype)


@functools.cache
def _fbgemm_kernel() -> type:
    from vllm.model_executor.kernels.linear.scaled_mm.ScaledMMLinearKernel import Int8ScaledMMLinearKernel
    from vllm.model_executor.layers.quantization.utils.w8a8_utils import convert_to_channelwise

    class FbgemmInt8Kernel(Int8ScaledMMLinearKernel):  # type: ignore[misc]
        @classmethod
        def is_supported(cls, compute_capability: int | None = None) -> tuple[bool, str | None]:
            return can_pack(), "requires a torch with FBGEMM"

        @classmethod
        def can_implement(cls, c: Any) -> tuple[bool, str | None]:
            dynamic = c.input_symmetric and not c.is_static_input_scheme
            return dynamic, "requires activations that are rounded as they come, symmetrically"

        def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
            weight, scales, *_ = self._get_layer_params(layer)
            if not self.config.is_channelwise:
                scales = convert_to_channelwise(scales, layer.logical_widths)
            self.packed = pack(weight.data, scales.data)
            setattr(layer, self.layer_param_names[0], None)  # it is in the packed copy

        def apply_weights(
            self, layer: torch.nn.Module, x: torch.Tensor, bias: torch.Tensor | None = None
        ) -> torch.Tensor:
            y = product(x.reshape(-1, x.shape[-1]), self.packed)
            y = y if bias is None else y + bias
            return y.reshape(*x.shape[:-1], y.shape[-1])

    return FbgemmInt8Kernel


@functools.cache
def _onednn_kernel() -> type:
    from vllm.model_executor.kernels.linear.scaled_mm.cpu import CPUInt8ScaledMMLinearKernel

    class OnednnInt8Kernel(CPUInt8ScaledMMLinearKernel):  # type: ignore[misc]
        """vLLM's own, which asks for the weights' type when it decides between AMX and oneDNN, not the activations'."""

        def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
            if torch.get_default_dtype() != torch.float32:  # while a model is loaded, that of its activations
                super().process_weights_after_loading(layer)
                return
            self.linear_method = self._apply_weights_onednn
            self.process_weights_for_onednn(layer)

    return OnednnInt8Kernel

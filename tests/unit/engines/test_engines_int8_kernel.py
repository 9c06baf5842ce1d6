"""Products of 8-bit weights by the kernels that vLLM is given: as near to float32 as rounding allows, and chosen where
they pay."""

from collections.abc import Callable

import pytest
import torch

from agentdistill import processor
from agentdistill.engines import int8_kernel
from agentdistill.engines.int8 import round_rows

pytestmark = pytest.mark.skipif(not int8_kernel.can_pack(), reason="torch has no FBGEMM on this processor")


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def both(x: torch.Tensor) -> tuple[float, float]:
    """(error of the kernel, error of rounding weights and activations to 8 bits and computing exactly)."""
    weight = torch.randn(96, x.shape[-1])
    rounded, scales = round_rows(weight)
    steps = x.abs().amax(-1, keepdim=True) / 127
    ideal = ((x / steps).round() * steps) @ (rounded * scales).T
    expected = x @ weight.T
    found = int8_kernel.product(x, int8_kernel.pack(rounded, scales))
    return relative_error(found, expected), relative_error(ideal, expected)


@pytest.mark.parametrize("tokens", [1, 2, 48])
@pytest.mark.parametrize("outlier", [1.0, 40.0, -40.0])
def test_the_error_is_that_of_rounding(tokens: int, outlier: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(tokens, 1024)
    x[:, 5] = outlier

    found, ideal = both(x)

    # A negative outlier with its own sign would have put zero near 255, and most sums into saturation (error 0.8).
    assert found < 1.2 * ideal + 0.005


def test_a_large_token_costs_the_small_ones_nothing() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 512)
    weight, scales = round_rows(torch.randn(16, 512))
    packed = int8_kernel.pack(weight, scales)

    alone = int8_kernel.product(x, packed)
    beside = int8_kernel.product(torch.cat([x, torch.full((1, 512), 1e4)]), packed)

    assert relative_error(beside[:4], alone) < 0.03


def test_a_token_of_zeros_gives_zeros_in_the_type_of_the_activations() -> None:
    weight, scales = round_rows(torch.randn(8, 32))
    x = torch.stack([torch.zeros(32), torch.randn(32)]).bfloat16()

    y = int8_kernel.product(x, int8_kernel.pack(weight, scales))

    assert y.dtype is torch.bfloat16
    assert (y[0] == 0).all()
    assert (y[1] != 0).any()


def test_packing_leaves_torchs_engine_as_it_was() -> None:
    before = torch.backends.quantized.engine

    int8_kernel.pack(*round_rows(torch.randn(8, 32)))

    assert torch.backends.quantized.engine == before


@pytest.mark.parametrize(
    ("flags", "has"), [("fpu avx2 fma", False), ("avx2 avx_vnni", True), ("avx512f avx512_vnni", True)]
)
def test_vnni_is_read_from_the_processors_flags(tmp_path, monkeypatch, flags: str, has: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "CPUINFO", cpuinfo)

    assert processor.cpu_has_vnni() is has


def test_a_machine_without_cpuinfo_counts_as_one_without(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")

    assert processor.cpu_has_vnni() is False


@pytest.fixture
def vllm_linear():
    """vLLM's table of kernels; a vLLM for other processors has none of these."""
    from vllm.model_executor.kernels import linear
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        pytest.skip("this vLLM is not built for CPUs")
    return linear


@pytest.mark.slow  # vLLM takes ten seconds to import
@pytest.mark.parametrize(
    ("vnni", "amx", "first"), [(False, False, "_fbgemm_kernel"), (True, False, None), (True, True, "_onednn_kernel")]
)
def test_vllm_asks_for_a_kernel_of_ours_first_where_it_pays(
    monkeypatch, vllm_linear, vnni: bool, amx: bool, first: str | None
) -> None:
    from vllm.platforms import PlatformEnum

    ours = [int8_kernel._fbgemm_kernel(), int8_kernel._onednn_kernel()]
    own = [kernel for kernel in vllm_linear._POSSIBLE_INT8_KERNELS[PlatformEnum.CPU] if kernel not in ours]
    kernels = list(own)
    monkeypatch.setitem(vllm_linear._POSSIBLE_INT8_KERNELS, PlatformEnum.CPU, kernels)
    monkeypatch.setattr(int8_kernel, "cpu_has_vnni", lambda: vnni)
    monkeypatch.setattr(int8_kernel, "cpu_has_amx", lambda: amx)

    int8_kernel.register()
    int8_kernel.register()

    assert kernels == ([getattr(int8_kernel, first)(), *own] if first else own)


def loaded(kernel_class: type, dtype: torch.dtype) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    """A layer's product as vLLM makes it with this kernel for a model of this type, and the layer's weight."""
    from vllm.model_executor.kernels.linear.scaled_mm.ScaledMMLinearKernel import Int8ScaledMMLinearLayerConfig

    rounded, scales = round_rows(torch.randn(64, 128))
    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(rounded, requires_grad=False)
    layer.scale = torch.nn.Parameter(scales.float().reshape(-1, 1), requires_grad=False)
    layer.input_scale = layer.input_zero_point = layer.bias = None
    layer.logical_widths = [64]
    config = Int8ScaledMMLinearLayerConfig(is_static_input_scheme=False, is_channelwise=True, input_symmetric=True)
    kernel = kernel_class(config, ("weight", "scale", "input_scale", "input_zero_point", "azp_adj"))
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        kernel.process_weights_after_loading(layer)
    finally:
        torch.set_default_dtype(before)
    return lambda x: kernel.apply_weights(layer, x), (rounded * scales.reshape(-1, 1)).to(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_with_amx_activations_of_both_types_are_multiplied(monkeypatch, vllm_linear, dtype: torch.dtype) -> None:
    from vllm.model_executor.kernels.linear.scaled_mm import cpu

    monkeypatch.setattr(cpu, "check_cpu_sgl_kernel", lambda *_: True)  # what vLLM asks of the processor
    torch.manual_seed(0)
    multiply, weight = loaded(int8_kernel._onednn_kernel(), dtype)
    x = torch.randn(4, 128).to(dtype)

    y = multiply(x)

    assert y.dtype is dtype
    assert relative_error(y.float(), x.float() @ weight.float().T) < 0.03


@pytest.mark.slow
def test_vllms_own_kernel_for_amx_still_refuses_float32(monkeypatch, vllm_linear) -> None:
    from vllm.model_executor.kernels.linear.scaled_mm import cpu

    monkeypatch.setattr(cpu, "check_cpu_sgl_kernel", lambda *_: True)
    multiply, _ = loaded(cpu.CPUInt8ScaledMMLinearKernel, torch.float32)

    with pytest.raises(RuntimeError, match="expect A to be bfloat16 or half"):  # else ours has become needless
        multiply(torch.randn(4, 128))


def test_vllm_knows_the_plugin_that_registers_it() -> None:
    from importlib.metadata import entry_points

    plugins = {plugin.name: plugin.value for plugin in entry_points(group="vllm.general_plugins")}

    assert plugins["agentdistill"] == "agentdistill.engines.plugin:register"

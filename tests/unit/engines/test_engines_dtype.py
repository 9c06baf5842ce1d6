"""`dtype: auto` takes what the hardware multiplies fast."""

import pytest

from agentdistill.config import EngineConfig
from agentdistill.engines import vllm


@pytest.mark.parametrize(
    ("accelerator", "fast_on_cpu", "dtype"),
    [(True, False, "bfloat16"), (False, True, "bfloat16"), (False, False, "float32")],
)
def test_auto_is_bfloat16_only_where_it_is_fast(monkeypatch, accelerator, fast_on_cpu, dtype) -> None:
    monkeypatch.setattr(vllm, "_has_accelerator", lambda: accelerator)
    monkeypatch.setattr(vllm, "cpu_has_bfloat16", lambda: fast_on_cpu)
    assert vllm._engine_arguments(EngineConfig(model="folder"))["dtype"] == dtype


def test_a_dtype_that_is_asked_for_stays(monkeypatch) -> None:
    monkeypatch.setattr(vllm, "_has_accelerator", lambda: False)
    monkeypatch.setattr(vllm, "cpu_has_bfloat16", lambda: True)
    assert vllm._engine_arguments(EngineConfig(model="folder", dtype="float32"))["dtype"] == "float32"

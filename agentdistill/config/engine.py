"""Settings of an engine: the model that writes, and where it runs."""

from dataclasses import dataclass
from typing import Any

from agentdistill import plugins
from agentdistill.config.settings import setting

#: What a request is about, and how it is answered.
_OWN = frozenset({"messages", "model", "stream"})


@dataclass
class EngineConfig:
    engine: str = "vllm"  # vllm, openai, scripted, or one of your own
    model: str = "smollm2-135m"  # a package preset (see agentdistill.models), a folder, or a hub id
    revision: str | None = None
    adapter: str | None = None  # a LoRA adapter's folder
    merge_adapter: bool | None = None  # vllm: into a copy of the weights, made once; null: on CPU and with quantization
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"))
    quantization: str | None = setting(None, choices=("int8",))  # vllm: a copy with 8-bit linear layers, made once
    max_model_len: int = setting(4096, ge=128)  # tokens
    tensor_parallel: int = setting(1, ge=1, binds=False)
    gpu_memory_utilization: float = setting(0.9, gt=0, le=1, binds=False)
    kv_cache_gb: float = setting(2.0, gt=0, binds=False)  # on CPU: memory for the KV cache, GiB
    max_num_seqs: int = setting(256, ge=1, binds=False)
    enforce_eager: bool = setting(False, binds=False)  # always on for CPU
    stall_s: float = setting(  # an engine with requests and no output for so long is taken for dead
        300.0, gt=0, binds=False
    )
    expert: str = "world"  # scripted: whose function writes
    base_url: str = setting("", binds=False)  # openai
    api_key_env: str | None = setting(  # openai: the environment variable that holds the key; null: none needed
        "OPENAI_API_KEY", binds=False
    )
    allow_plain_http: bool = setting(  # openai: send the key over http:// to another machine, where others can read it
        False, binds=False
    )
    dialect: str = setting("vllm", choices=("vllm", "openai"))  # openai: whether the endpoint knows vLLM's extensions
    max_in_flight: int = setting(64, ge=1, binds=False)  # openai: bounded concurrency
    retries: int = setting(5, ge=0, binds=False)  # openai: further tries of a request that failed
    patience_s: float = setting(  # openai: how long an endpoint that says "busy" (429, 503) is asked again
        300.0, ge=0, binds=False
    )
    extra_body: dict[str, Any] = setting(factory=dict)  # openai: further parameters of every request, sent as they are
    drop_params: list[str] = setting(factory=list)  # openai: parameters that the endpoint refuses, left out
    settings: dict[str, Any] = setting(factory=dict)  # for an engine of your own

    def problems(self):
        if not plugins.is_known("engine", self.engine):
            yield "engine", self.engine, plugins.three_ways("engine", self.engine)
        if self.engine == "openai" and not self.base_url:
            yield "base_url", repr(self.base_url), "the URL of an OpenAI-compatible endpoint, for engine=openai"
        for name in {*_OWN, "n"}.intersection(self.extra_body):
            yield "extra_body", name, f"none of {', '.join(sorted(_OWN))}, n: the engine sends those itself"
        for name in _OWN.intersection(self.drop_params):
            yield "drop_params", name, f"none of {', '.join(sorted(_OWN))}: no request is without them"
        if self.engine != "vllm" and self.quantization is not None:
            yield "quantization", self.quantization, f"null with engine={self.engine}: only vllm loads weights"
        if self.quantization is not None and self.adapter is not None and self.merge_adapter is False:
            # vLLM 0.32 looks for the weights of the layers below an adapter, and on CPU int8 layers have packed theirs.
            yield "merge_adapter", False, f"true or null with an adapter and quantization={self.quantization}"

"""Settings of who acts: the engine that writes, and how the agent uses it."""

from dataclasses import dataclass

from agentdistill.config.settings import section, setting


@dataclass
class EngineConfig:
    engine: str = setting("vllm", choices=("vllm", "openai", "scripted"))
    model: str = "smollm2-135m"  # a package preset (see agentdistill.models), a folder, or a hub id
    revision: str | None = None
    adapter: str | None = None  # a LoRA adapter's folder
    merge_adapter: bool | None = None  # vllm: into a copy of the weights, made once; null: on CPU and with quantization
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"))
    quantization: str | None = setting(None, choices=("int8",))  # vllm: a copy with 8-bit linear layers, made once
    max_model_len: int = setting(4096, ge=128)  # tokens
    tensor_parallel: int = setting(1, ge=1)
    gpu_memory_utilization: float = setting(0.9, gt=0, le=1)
    kv_cache_gb: float = setting(2.0, gt=0)  # on CPU: memory for the KV cache, GiB
    max_num_seqs: int = setting(256, ge=1)
    enforce_eager: bool = False  # always on for CPU
    stall_s: float = setting(300.0, gt=0)  # an engine with requests and no output for so long is taken for dead
    expert: str = "world"  # scripted: whose function writes
    base_url: str = ""  # openai
    api_key_env: str = "OPENAI_API_KEY"  # openai: the environment variable that holds the key
    dialect: str = setting("vllm", choices=("vllm", "openai"))  # openai: whether the endpoint knows vLLM's extensions
    max_in_flight: int = setting(64, ge=1)  # openai: bounded concurrency
    retries: int = setting(5, ge=0)  # openai

    def problems(self):
        if self.engine == "openai" and not self.base_url:
            yield "base_url", repr(self.base_url), "the URL of an OpenAI-compatible endpoint, for engine=openai"
        if self.engine != "vllm" and self.quantization is not None:
            yield "quantization", self.quantization, f"null with engine={self.engine}: only vllm loads weights"
        if self.quantization is not None and self.adapter is not None and self.merge_adapter is False:
            # vLLM 0.32 looks for the weights of the layers below an adapter, and on CPU int8 layers have packed theirs.
            yield "merge_adapter", False, f"true or null with an adapter and quantization={self.quantization}"


@dataclass
class SagConfig:
    """Self-consistent action generation (arXiv 2505.17612, section 4.2)."""

    n: int = setting(1, ge=1)  # 1: off, greedy or sampled once
    temperature: float = setting(0.4, ge=0)
    top_p: float = setting(0.8, gt=0, le=1)


@dataclass
class AgentConfig:
    prompt: str = setting(
        "teacher", choices=("teacher", "student", "teacher_code", "student_code")
    )  # long with worked examples, or short; the code variants know no search, for runs without a retriever
    max_steps: int = setting(5, ge=1)
    max_tokens: int = setting(1024, ge=1)  # new tokens a step
    temperature: float = setting(0.0, ge=0)
    top_p: float = setting(1.0, gt=0, le=1)
    observation_chars: int = setting(4_000, ge=100)
    token_budget: int | None = setting(None, ge=1)  # completion tokens an episode
    time_budget_s: float = setting(1_800.0, gt=0)
    first_thought_prefix: bool = False
    first_thought_tokens: int | None = setting(None, ge=1)  # the prefix is cut at its last sentence within so many
    logprobs: bool = False  # keep the log-probability of each sampled token, where the engine tells it
    prompt_token_ids: bool = False  # keep each step's prompt as token ids too, where the engine tells them
    sag: SagConfig = section(SagConfig)


@dataclass
class ActorConfig:
    """A teacher at work."""

    engine: EngineConfig = section(EngineConfig)
    mode: str = setting("agent", choices=("agent", "cot", "cot_rag"))
    agent: AgentConfig = section(AgentConfig)

    def problems(self):
        if self.mode != "agent" and self.agent.first_thought_prefix:
            yield "agent.first_thought_prefix", True, f"false with mode={self.mode}: only an agent has one"
        if self.mode != "agent" and self.agent.sag.n > 1:
            yield "agent.sag.n", self.agent.sag.n, f"1 with mode={self.mode}: there are no actions to vote on"
        if self.agent.first_thought_prefix and self.engine.engine == "openai" and self.engine.dialect == "openai":
            yield "agent.first_thought_prefix", True, "false, or an engine that can continue a prefix (dialect=vllm)"

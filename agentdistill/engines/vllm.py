"""vLLM in this process: an AsyncLLM with continuous batching, prefix caching, and LoRA.

The chat template is applied here, so that a prefix can be continued token by token and the prompt's ids are known.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import Any

from agentdistill.config import EngineConfig
from agentdistill.engines import last_words
from agentdistill.engines.base import tells
from agentdistill.engines.guardian import Guardian
from agentdistill.engines.int8 import int8_copy
from agentdistill.engines.merged import merged_copy
from agentdistill.errors import EngineError, MissingPartError, PromptTooLongError
from agentdistill.models import resolve
from agentdistill.processor import cpu_has_bfloat16
from agentdistill.types import Completion, EngineLoad, FinishReason, Request

_CPU_BATCHED_TOKENS = 4_096  # of one scheduler step; vLLM's own default on CPU
# Of the prefix cache, which holds whole blocks alone: with vLLM's 128 on CPU a turn computes up to 127 tokens again.
# The least that its CPU attention takes.
_CPU_BLOCK_TOKENS = 32
# What a killed process leaves.
_UNSAID = "and left no word why, as when the system kills it for its memory"


class _Pulse:
    """What the engine reported last; it reports after every scheduler step, so silence means that it hangs."""

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.load = EngineLoad()

    def beat(self, scheduler_stats: Any) -> None:
        self.at = time.monotonic()
        if scheduler_stats is not None:
            self.load = EngineLoad(scheduler_stats.kv_cache_usage, scheduler_stats.num_waiting_reqs)


class VllmEngine:
    """One engine; open it with `await VllmEngine.open(config)`."""

    def __init__(self, config: EngineConfig, llm: Any, guardian: Guardian, pulse: _Pulse, lora: Any) -> None:
        self.model = _name(config)
        self.revision = config.revision or ""
        self._config, self._llm, self._guardian, self._pulse, self._lora = config, llm, guardian, pulse, lora
        self._tokenizer = llm.get_tokenizer()
        self._ids = itertools.count()
        self._in_flight = 0
        self._last_words = ""
        self._hung: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done once the engine hangs
        self._watch = asyncio.create_task(self._watch_pulse())

    @classmethod
    async def open(cls, config: EngineConfig) -> VllmEngine:
        """Load the model. Raises MissingPartError without vLLM, EngineError where the engine cannot start."""
        prepare_environment(config)
        try:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
            from vllm.v1.metrics.loggers import StatLoggerBase
        except ImportError as error:
            raise MissingPartError(f"engine vllm: cannot be imported ({error}); see docs/install.md") from error
        pulse = _Pulse()

        class Logger(StatLoggerBase):  # type: ignore[misc]
            def __init__(self, vllm_config: Any, engine_index: int = 0) -> None: ...

            def record(self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any) -> None:
                pulse.beat(scheduler_stats)

            def log_engine_initialized(self) -> None: ...

        guardian = Guardian()
        try:
            arguments = AsyncEngineArgs(**_engine_arguments(config))
            with guardian.marking():
                llm = _start(AsyncLLM, arguments, Logger)
            return cls(config, llm, guardian, pulse, _lora_request(config))
        except Exception as error:
            guardian.kill()
            cause = last_words.told(guardian.mark) or error
            raise EngineError(f"engine vllm: model {config.model} cannot be loaded: {cause}") from error

    async def __call__(self, request: Request) -> list[Completion]:
        """Raises PromptTooLongError, EngineError."""
        prompt_ids = self._prompt_ids(request)
        room = self._config.max_model_len - len(prompt_ids)
        if room < 1:
            raise PromptTooLongError(
                f"{self.model}: the prompt has {len(prompt_ids)} tokens, the context {self._config.max_model_len}"
            )
        if self.dead:
            raise EngineError(f"{self.model}: the engine is dead{self._cause()}")
        self._pulse.at = time.monotonic() if self._in_flight == 0 else self._pulse.at
        self._in_flight += 1
        # vLLM never wakes the requests of an engine that hangs: its silence has to.
        answer: asyncio.Future[list[Completion]] = asyncio.ensure_future(self._generate(request, prompt_ids, room))
        either: set[asyncio.Future[Any]] = {answer, self._hung}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise EngineError(f"{self.model}: the engine gave no sign of life for {self._config.stall_s:g} s")
            if answer.cancelled():
                raise EngineError(f"{self.model}: the engine dropped the request")
            return answer.result()
        finally:
            answer.cancel()
            self._in_flight -= 1

    async def _generate(self, request: Request, prompt_ids: list[int], room: int) -> list[Completion]:
        from vllm.inputs import TokensPrompt

        final = None
        try:
            stream = self._llm.generate(
                TokensPrompt(prompt_token_ids=prompt_ids),
                _sampling_params(request, room),
                request_id=str(next(self._ids)),
                lora_request=self._lora,
            )
            async for output in stream:
                final = output
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if self.dead:
                raise EngineError(f"{self.model}: the engine died{self._cause()}") from error
            raise EngineError(f"{self.model}: {type(error).__name__}: {error}") from error
        if final is None:
            raise EngineError(f"{self.model}: the engine ended the request without an answer")
        return [_completion(output, prompt_ids) for output in sorted(final.outputs, key=lambda item: item.index)]

    def _prompt_ids(self, request: Request) -> list[int]:
        text = self._tokenizer.apply_chat_template(
            [{"role": str(message.role), "content": message.content} for message in request.messages],
            tokenize=False,
            add_generation_prompt=True,
        )
        return list(self._tokenizer.encode(text + request.prefix, add_special_tokens=False))

    def load(self) -> EngineLoad:
        # An idle engine reports nothing, so that its last report would stand for ever.
        return self._pulse.load if self._in_flight else EngineLoad()

    @property
    def dead(self) -> bool:
        return self._hung.done() or bool(self._llm.errored)

    def _cause(self) -> str:
        """What the engine's process died of, as a sentence goes on with it."""
        if self._hung.done():
            return f": it gave no sign of life for {self._config.stall_s:g} s and was ended"
        self._last_words = self._last_words or last_words.told(self._guardian.mark)
        return f": {self._last_words}" if self._last_words else f" {_UNSAID}"

    async def _watch_pulse(self) -> None:
        """Take the engine for dead when requests are in flight and no scheduler step was reported for `stall_s`."""
        while True:
            await asyncio.sleep(min(5.0, self._config.stall_s / 4))
            silent_s = time.monotonic() - self._pulse.at
            if self._in_flight and silent_s > self._config.stall_s and not self.dead:
                # First, as this process may end as soon as its requests have failed.
                self._guardian.kill()
                self._hung.set_result(None)
                return

    async def close(self) -> None:
        self._watch.cancel()
        self._llm.shutdown()
        self._guardian.kill()
        last_words.told(self._guardian.mark)  # nobody will ask for it any more


def _start(llm_class: Any, arguments: Any, logger: type) -> Any:
    """The engine, on CPU in a single process below this one; elsewhere in as many as vLLM takes."""
    from vllm.platforms import current_platform

    engine_config = arguments.create_engine_config()
    if not current_platform.is_cpu() or engine_config.parallel_config.world_size > 1:
        return llm_class.from_vllm_config(engine_config, stat_loggers=[logger])
    # On CPU alone: it is no part of the interface, and accelerators have another release of vLLM.
    from vllm.utils.ompmultiprocessing import OMPProcessManager

    # vLLM would give the model a second process on CPU, for OpenMP's sake, which imports everything once more.
    # With the variables that this sets for that one, its first process will do.
    engine_config.parallel_config.distributed_executor_backend = "uni"
    with OMPProcessManager(engine_config).configure_omp_envs(rank=0, local_rank=0):
        return llm_class.from_vllm_config(engine_config, stat_loggers=[logger])


def _name(config: EngineConfig) -> str:
    name = config.model if config.adapter is None else f"{config.model}+{config.adapter}"
    return name if config.quantization is None else f"{name}:{config.quantization}"


@tells(gpus=lambda config: config.tensor_parallel, engine_name=_name)
async def open_engine(config: EngineConfig) -> VllmEngine:
    """Load the model. Raises as `VllmEngine.open`."""
    return await VllmEngine.open(config)


def prepare_environment(config: EngineConfig) -> None:
    """Set what vLLM reads from the environment when it is imported; what the user has set stays."""
    cpus = sorted(os.sched_getaffinity(0))
    defaults = {
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cpus)),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, round(config.kv_cache_gb))),
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Ray sets this to the actor's CPU request, which would leave the engine on one thread.
    if not _has_accelerator():
        os.environ["OMP_NUM_THREADS"] = str(len(cpus))


def _has_accelerator() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _engine_arguments(config: EngineConfig) -> dict[str, Any]:
    on_cpu = not _has_accelerator()
    arguments: dict[str, Any] = {
        **_weights(config),
        "dtype": _auto_dtype(on_cpu) if config.dtype == "auto" else config.dtype,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.max_num_seqs,
        "tensor_parallel_size": config.tensor_parallel,
        "enable_prefix_caching": True,
        "enforce_eager": config.enforce_eager or on_cpu,
        "seed": 0,
    }
    if on_cpu:
        # A prompt computed in parts makes vLLM wind the request's own random generator back, which on CPU it cannot:
        # one seeded sample would end the whole engine ("CPU Generator does not use offset").
        arguments |= {
            "block_size": _CPU_BLOCK_TOKENS,
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(config.max_model_len, _CPU_BATCHED_TOKENS),
        }
    else:
        arguments["gpu_memory_utilization"] = config.gpu_memory_utilization
    if config.adapter is not None and not _merges(config):
        arguments |= {"enable_lora": True, "max_lora_rank": _adapter_rank(config.adapter)}
    return arguments


def _auto_dtype(on_cpu: bool) -> str:
    return "bfloat16" if not on_cpu or cpu_has_bfloat16() else "float32"


def _weights(config: EngineConfig) -> dict[str, Any]:
    """Where vLLM finds the model, and its revision where that is still to be asked for."""
    model, revision = resolve(config.model), config.revision
    if config.adapter is not None and _merges(config):
        model, revision = merged_copy(model, config.adapter, revision), None
    if config.quantization is not None:
        model, revision = int8_copy(model, revision), None
    return {"model": model, "revision": revision}


def _merges(config: EngineConfig) -> bool:
    """Whether an adapter becomes part of the weights: on CPU, and where they are rounded, unless the config says."""
    if config.merge_adapter is not None:
        return config.merge_adapter
    return config.quantization is not None or not _has_accelerator()


def _adapter_rank(folder: str) -> int:
    """The rank vLLM must make room for; it accepts powers of two from 8 (and a few more)."""
    from agentdistill.storage import join, read_json

    rank = int(read_json(join(folder, "adapter_config.json"))["r"])
    return max(8, 1 << (rank - 1).bit_length())


def _lora_request(config: EngineConfig) -> Any:
    if config.adapter is None or _merges(config):
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, config.adapter)


def _sampling_params(request: Request, room: int) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    return SamplingParams(
        n=sampling.n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop),
        include_stop_str_in_output=True,
        seed=sampling.seed,
        logprobs=1 if sampling.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _completion(output: Any, prompt_ids: list[int]) -> Completion:
    token_ids = tuple(output.token_ids)
    logprobs: tuple[float, ...] = ()
    if output.logprobs:
        logprobs = tuple(
            float(choices[token].logprob) for token, choices in zip(token_ids, output.logprobs, strict=True)
        )
    return Completion(
        text=output.text,
        finish_reason=FinishReason.LENGTH if output.finish_reason == "length" else FinishReason.STOP,
        token_ids=token_ids,
        prompt_token_ids=tuple(prompt_ids),
        num_prompt_tokens=len(prompt_ids),
        num_completion_tokens=len(token_ids),
        logprobs=logprobs,
    )

"""A real vLLM engine: seeded samples with more prompt tokens at once than one step takes, and what it dies of."""

import asyncio
import re
from pathlib import Path

import pytest

from agentdistill import models
from agentdistill.config import EngineConfig
from agentdistill.engines import vllm
from agentdistill.engines.guardian import kill_marked
from agentdistill.engines.vllm import VllmEngine
from agentdistill.errors import EngineError
from agentdistill.types import Completion, Message, Request, Role, Sampling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

NUM_PROMPTS = 12
SAMPLING = Sampling(n=2, temperature=0.7, top_p=0.8, max_tokens=8, seed=7)


def long_request(number: int) -> Request:
    # No two begin alike, so that the prefix cache takes none of it.
    text = f"List {number}: " + " ".join(f"item {number * position} of {position}," for position in range(60, 160))
    return Request((Message(Role.USER, text),), SAMPLING)


async def open_engine() -> VllmEngine:
    # In bfloat16 a batch of another shape rounds enough logits differently to change samples.
    return await VllmEngine.open(EngineConfig(max_model_len=1536, kv_cache_gb=2.0, max_num_seqs=64, dtype="float32"))


async def ask(engine: VllmEngine) -> list[list[Completion]]:
    return await asyncio.gather(*(engine(long_request(number)) for number in range(NUM_PROMPTS)))


async def test_seeded_samples_are_the_same_each_time_and_a_killed_engine_is_said_to_be_dead() -> None:
    engine = await open_engine()
    try:
        first, again = await ask(engine), await ask(engine)
        assert not engine.dead
        kill_marked(engine._guardian.mark)
        with pytest.raises(EngineError, match=r"smollm2-135m: the engine (died|is dead) and left no word why"):
            await engine(long_request(0))
    finally:
        await engine.close()

    assert sum(completions[0].num_prompt_tokens for completions in first) > 2 * 4_096
    assert [len(completions) for completions in first] == [2] * NUM_PROMPTS
    assert any(one.token_ids != other.token_ids for one, other in first)
    assert first == again


@pytest.fixture
def chunked(monkeypatch) -> None:
    """vLLM computes prompts in parts, as it would by itself, which with seeded samples ends the engine on CPU."""
    arguments = vllm._engine_arguments
    monkeypatch.setattr(vllm, "_engine_arguments", lambda config: arguments(config) | {"enable_chunked_prefill": True})


async def test_an_engine_that_dies_says_what_of_to_every_request(chunked: None) -> None:
    engine = await open_engine()
    try:
        requests = (engine(long_request(number)) for number in range(NUM_PROMPTS))
        failures = await asyncio.gather(*requests, return_exceptions=True)
        with pytest.raises(EngineError, match=r"smollm2-135m: the engine is dead: RuntimeError: .*offset"):
            await engine(long_request(0))
        assert engine.dead
    finally:
        await engine.close()

    causes = {str(failure) for failure in failures}
    assert len(causes) == 1
    assert re.fullmatch("smollm2-135m: the engine died: RuntimeError: .*offset.*", causes.pop(), re.DOTALL)


async def test_an_engine_that_cannot_start_says_why(tmp_path: Path) -> None:
    source = Path(models.resolve("smollm2-135m"))
    for file in source.iterdir():
        (tmp_path / file.name).symlink_to(file)
    weights = tmp_path / "model.safetensors"
    with weights.open("rb") as file:
        torn = file.read(100_000)
    weights.unlink()  # the link
    weights.write_bytes(torn)

    with pytest.raises(EngineError, match="cannot be loaded: SafetensorError: "):
        await VllmEngine.open(EngineConfig(model=str(tmp_path), kv_cache_gb=1.0))

"""Seeded samples of a real vLLM engine, with more prompt tokens at once than one step of its scheduler takes."""

import asyncio

import pytest

from agentdistill.config import EngineConfig
from agentdistill.engines import open_engine
from agentdistill.types import Completion, Message, Request, Role, Sampling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NUM_PROMPTS = 12
SAMPLING = Sampling(n=2, temperature=0.7, top_p=0.8, max_tokens=8, seed=7)


def long_request(number: int) -> Request:
    # No two begin alike, so that the prefix cache takes none of it.
    text = f"List {number}: " + " ".join(f"item {number * position} of {position}," for position in range(60, 160))
    return Request((Message(Role.USER, text),), SAMPLING)


async def test_seeded_samples_of_many_long_prompts_are_the_same_each_time() -> None:
    engine = await open_engine(EngineConfig(max_model_len=1536, kv_cache_gb=2.0, max_num_seqs=64))
    try:

        async def ask() -> list[list[Completion]]:
            return await asyncio.gather(*(engine(long_request(number)) for number in range(NUM_PROMPTS)))

        first, again = await ask(), await ask()
        assert not engine.dead
    finally:
        await engine.close()
    assert sum(completions[0].num_prompt_tokens for completions in first) > 2 * 4_096
    assert [len(completions) for completions in first] == [2] * NUM_PROMPTS
    assert any(one.token_ids != other.token_ids for one, other in first)
    same = sum(left == right for left, right in zip(first, again, strict=True))
    assert same >= NUM_PROMPTS - 2  # a batch of another shape may round a logit differently

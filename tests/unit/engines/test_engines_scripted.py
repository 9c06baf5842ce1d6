"""A function behind the protocol of a model."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from agentdistill import plugins
from agentdistill.config import EngineConfig
from agentdistill.engines import EngineLoad, ScriptedEngine, open_engine
from agentdistill.errors import ConfigError, EngineError
from agentdistill.types import FinishReason, Message, Request, Role, Sampling

ASKED = (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "What is 1 + 1?"))


def echo(messages: Sequence[Message], seed: int) -> str:
    return f"{messages[-1].role}:{messages[-1].content}:{seed}"


async def test_n_completions_have_seeds_that_count_up() -> None:
    completions = await ScriptedEngine(echo)(Request(ASKED, Sampling(n=3, seed=40)))
    assert [completion.text.rpartition(":")[2] for completion in completions] == ["40", "41", "42"]
    assert {completion.finish_reason for completion in completions} == {FinishReason.STOP}


async def test_without_a_seed_it_counts_from_zero() -> None:
    (completion,) = await ScriptedEngine(echo)(Request(ASKED, Sampling()))
    assert completion.text == "user:What is 1 + 1?:0"


async def test_a_prefix_is_the_assistants_own_beginning() -> None:
    (completion,) = await ScriptedEngine(echo)(Request(ASKED, Sampling(), prefix="Thought: I"))
    assert completion.text == "assistant:Thought: I:0"


async def test_an_expert_may_be_asynchronous() -> None:
    async def expert(messages: Sequence[Message], seed: int) -> str:
        return f"{len(messages)}"

    (completion,) = await ScriptedEngine(expert)(Request(ASKED, Sampling()))
    assert completion.text == "2"


async def test_it_counts_no_tokens() -> None:
    (completion,) = await ScriptedEngine(echo)(Request(ASKED, Sampling()))
    assert (completion.token_ids, completion.num_prompt_tokens, completion.num_completion_tokens) == ((), 0, 0)


async def test_what_an_expert_raises_is_an_engine_error_with_its_name() -> None:
    def expert(messages: Sequence[Message], seed: int) -> str:
        raise KeyError("no such city")

    with pytest.raises(EngineError, match=r"the expert mine raised KeyError: 'no such city'"):
        await ScriptedEngine(expert, name="mine")(Request(ASKED, Sampling()))


async def test_an_expert_that_writes_no_text_is_an_engine_error() -> None:
    def expert(messages: Sequence[Message], seed: int) -> str:
        return None  # type: ignore[return-value]

    with pytest.raises(EngineError, match="wrote a NoneType, expected text"):
        await ScriptedEngine(expert)(Request(ASKED, Sampling()))


async def test_it_is_never_busy_and_never_dead() -> None:
    engine = ScriptedEngine(echo)
    await engine.close()
    assert (engine.load(), engine.dead) == (EngineLoad(), False)


async def test_the_config_opens_the_expert_by_name() -> None:
    engine = await open_engine(EngineConfig(engine="scripted", expert="world"))
    assert engine.model == "scripted:world"


def test_a_function_of_any_module_is_an_expert() -> None:
    assert plugins.load("expert", "types:SimpleNamespace") is SimpleNamespace


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrold", "a known expert \\(world\\), .*did you mean world"),
        ("no.such.module:f", "cannot be imported"),
        ("types:no_such_name", "cannot be imported"),
        (":f", "names no part of a module"),
        (".relative:f", "names no part of a module"),
        ("string:digits", "is a str, expected a function"),
    ],
)
def test_a_name_without_an_expert_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"expert '{name}': .*{message}"):
        plugins.load("expert", name)

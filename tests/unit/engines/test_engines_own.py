"""An engine of somebody else's package."""

import pytest

from agentdistill.config import EngineConfig, load
from agentdistill.engines import actor_gpus, engine_gpus, engine_name, open_engine
from agentdistill.errors import ConfigError, EngineError
from agentdistill.types import Message, Request, Role, Sampling


async def test_it_is_opened_with_its_settings() -> None:
    engine = await open_engine(EngineConfig(engine="own_parts:engine", settings={"words": "hello"}))
    (completion,) = await engine(Request((Message(Role.USER, "Who?"),), Sampling()))
    assert (completion.text, engine.model) == ("hello", "own")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("own_parts:engine_of_nothing", ConfigError, "opened a object, which lacks __call__, model, .*close; expected"),
        ("own_parts:engine_that_breaks", EngineError, "cannot be opened: KeyError: 'no card'"),
        ("own_parts:not_an_opener", ConfigError, "expected an async function"),
    ],
)
async def test_one_that_is_none_is_refused(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"engine '?{name}'?: .*{message}"):
        await open_engine(EngineConfig(engine=name))


@pytest.mark.parametrize(
    ("config", "gpus", "name"),
    [
        (EngineConfig(engine="vllm", model="m", tensor_parallel=2, adapter="a"), 2.0, "m+a"),
        (EngineConfig(engine="openai", model="m", tensor_parallel=2), 0.0, "m"),
        (EngineConfig(engine="scripted", expert="world"), 0.0, "scripted:world"),
        (EngineConfig(engine="own_parts:engine", model="m"), 0.0, "m"),
        (EngineConfig(engine="own_parts:engine_on_gpus", settings={"gpus": 0.5}), 0.5, "own, on gpus"),
    ],
)
def test_an_opener_tells_its_gpus_and_its_name(config: EngineConfig, gpus: float, name: str) -> None:
    assert (engine_gpus(config), engine_name(config)) == (gpus, name)
    asked = [actor_gpus(config, given, there) for given, there in ((None, True), (None, False), (3, False))]
    assert asked == [gpus, 0, 3]


def test_a_name_that_no_engine_has_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"teacher.engine.engine is vlm, expected a known engine .*did you mean vllm"):
        load(None, ["teacher.engine.engine=vlm"])


def test_settings_of_ones_own_come_through_the_config() -> None:
    config = load(None, ["teacher.engine.engine='own_parts:engine'", "teacher.engine.settings.words=hello"])
    assert config.teacher.engine.settings == {"words": "hello"}

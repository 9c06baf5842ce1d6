"""Functions as tools: what prompts say of them, which are none, and that sandboxed code calls them."""

import dataclasses

import own_parts
import pytest
from rollout_parts import spec_for

from agentdistill.config import RetrieverConfig, load
from agentdistill.errors import ConfigError
from agentdistill.rollout.sessions import open_session_source
from agentdistill.tools import function_tool, make_tools, tool_texts
from agentdistill.types import SEARCH_TOOL, ToolText

FORECAST, POPULATION = "own_parts:forecast", "own_parts:population"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            own_parts.forecast,
            ToolText(
                "forecast",
                "forecast(city, days=1)",
                "tells the weather of a city",
                "tells the weather of a city. It knows no more than three days. Parameters: city: str, days: int.",
            ),
        ),
        (
            own_parts.population,
            ToolText(
                "population",
                "population(city)",
                "GeoNames' count of a city's people",
                "GeoNames' count of a city's people.",
            ),
        ),
    ],
)
def test_a_function_says_all_that_a_prompt_has_to_say(function, text: ToolText) -> None:
    found = function_tool(function)
    assert found.text == text
    assert found.function is function


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_parts:wordless", "wordless has no docstring, expected one"),
        ("own_parts:greedy", r"takes \*cities: str, expected parameters that each have a name"),
        ("own_parts:open_ended", r"takes \*\*cities: str, expected parameters that each have a name"),
        ("own_parts:nameless", "is a lambda, expected a function with a name that code can call"),
        ("own_parts:final_answer", "is named final_answer, which ends an episode"),
        ("own_parts:sorted", "is named sorted, as a built-in of Python that code may call; expected another name"),
        ("pathlib:Path", "is a type, expected a function"),
        ("string:digits", "lacks __name__, __call__, expected a function with a docstring"),
        ("own_parts:forcast", "cannot be imported"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_name(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"tool '{name}': .*{message}") as caught:
        tool_texts([name], True)
    assert "\n" not in str(caught.value)


def test_the_order_is_the_configs_and_the_retriever_is_left_out_where_it_is_off() -> None:
    names = [POPULATION, "search", FORECAST]
    assert [text.name for text in tool_texts(names, True)] == ["population", "search", "forecast"]
    assert [text.name for text in tool_texts(names, False)] == ["population", "forecast"]
    assert tool_texts(["search"], True) == (SEARCH_TOOL,)


@pytest.mark.parametrize("names", [["search", "own_parts:search"], [FORECAST, FORECAST], ["search", "search"]])
def test_two_tools_of_one_name_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"two of them are named (search|forecast), expected names"):
        tool_texts(names, True)


def test_a_tool_may_be_named_search_where_the_retriever_is_off() -> None:
    names = ["search", "own_parts:search"]
    assert make_tools(names, RetrieverConfig(), None) == {"search": own_parts.search}
    assert [text.brief for text in tool_texts(names, False)] == ["finds nothing"]


def test_a_name_that_no_tool_has_is_refused_with_the_config() -> None:
    with pytest.raises(ConfigError, match=r"tools is serch, expected a known tool \(search\).*did you mean search"):
        load(None, ["tools=[serch]"])


def test_the_retriever_is_not_looked_for_before_it_is_called() -> None:
    tools = make_tools(["search", FORECAST], RetrieverConfig(), "an application that nobody runs")
    assert list(tools) == ["search", "forecast"]


async def test_code_in_an_actors_own_sandbox_calls_them(tmp_path) -> None:
    source = await open_session_source(dataclasses.replace(spec_for(tmp_path, "right"), tools=(FORECAST, POPULATION)))
    session = source.session()
    try:
        outcome = await session.run("print(forecast('Oslo', days=2))\nprint(population(city='Oslo') + 1)")
        missing = await session.run("search('Oslo')")
    finally:
        await session.close()
        await source.close()
    assert (outcome.stdout, outcome.num_tool_calls) == ("Oslo: sun for 2 days\n700001\n", 2)
    assert missing.error is not None
    assert missing.error.type == "NameError"

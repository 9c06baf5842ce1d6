"""The tools that a config names, for the sandbox's host side and for prompts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agentdistill import plugins
from agentdistill.config import RetrieverConfig
from agentdistill.errors import ConfigError
from agentdistill.tools.function import Tool, function_tool
from agentdistill.types import SEARCH_TOOL, ToolText

#: The name of the retriever among the tools.
SEARCH = SEARCH_TOOL.name

#: The retriever as a tool: a query to numbered passages as text.
SearchText = Callable[[str], Awaitable[str]]


def tool_texts(names: Sequence[str], retriever_enabled: bool) -> tuple[ToolText, ...]:
    """What prompts say of the tools, in the order of the config; without the retriever where it is off.

    Raises ConfigError where a name is unknown, a function makes no tool, or two tools have one name. Needs no Ray.
    """
    own = _own_tools(names)
    texts = []
    for name in names:
        if name != SEARCH:
            texts.append(own[name].text)
        elif retriever_enabled:
            texts.append(SEARCH_TOOL)
    _check_names(names, texts)
    return tuple(texts)


def make_tools(names: Sequence[str], retriever: RetrieverConfig, app: str | None) -> Mapping[str, Callable[..., Any]]:
    """The functions of the tools by the names that code calls; `app` is the retriever's Serve application, if it runs.

    Raises as `tool_texts`. The retriever is looked for when it is first called.
    """
    texts = tool_texts(names, app is not None)
    functions: dict[str, Callable[..., Any]] = {tool.text.name: tool.function for tool in _own_tools(names).values()}
    if app is not None and SEARCH in names:
        functions[SEARCH] = search_text(retriever, app)
    return {text.name: functions[text.name] for text in texts}


def search_text(retriever: RetrieverConfig, app: str) -> SearchText:
    """The retriever behind a Serve application, asked as the config says."""
    from agentdistill.retrieval.client import service_search
    from agentdistill.retrieval.tool import search_tool

    return search_tool(service_search(app, retriever), retriever.k, retriever.passage_chars)


def _own_tools(names: Sequence[str]) -> dict[str, Tool]:
    return {name: function_tool(plugins.load("tool", name), name) for name in names if name != SEARCH}


def _check_names(names: Sequence[str], texts: Sequence[ToolText]) -> None:
    """Raise ConfigError where code could not tell two of the tools apart."""
    called = [text.name for text in texts]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None or len(set(names)) < len(names):
        which = twice or next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"tools is {', '.join(names)}: two of them are named {which}, expected names that differ")

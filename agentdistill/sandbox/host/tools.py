"""Tools that sandboxed code may call: host functions, run with a deadline, answered once where asked twice."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentdistill.errors import AgentDistillError
from agentdistill.sandbox import wire

MAX_ANSWER_CHARS = 1_000_000


@dataclass(slots=True)
class ToolLog:
    """What the tools did for one run."""

    calls: list[dict[str, Any]] = field(default_factory=list)  # name, args, kwargs, and value or error
    seconds: float = 0.0
    system_error: AgentDistillError | None = None  # a tool's service failed, as opposed to refusing


class Answers:
    """The tool calls of one step: an equal call is carried out once, also when candidates make it at the same time."""

    def __init__(self, tools: Mapping[str, Callable[..., Any]], deadline_s: float, *, share: bool) -> None:
        self._tools, self._deadline_s, self._share = tools, deadline_s, share
        self._shared: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def answer(self, message: dict[str, Any], log: ToolLog) -> dict[str, Any]:
        """What to send back for a call: {"value": ...} or {"error": {"type", "message"}}. Never raises."""
        name, args, kwargs = message.get("name"), message.get("args"), message.get("kwargs")
        if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
            return _refusal("ValueError", "a tool call that is not a name, a list and a dict")
        if name not in self._tools:
            return _refusal("NameError", f"there is no tool named {name!r}")
        started = time.monotonic()
        result, failure = await self._once(name, args, kwargs)
        log.seconds += time.monotonic() - started
        log.calls.append({"name": name, "args": args, "kwargs": kwargs, **result})
        if isinstance(failure, AgentDistillError):
            log.system_error = failure
        return result

    async def _once(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if not self._share:
            return await self._carry_out(name, args, kwargs)
        key = json.dumps([name, args, kwargs], sort_keys=True)
        if key not in self._shared:
            self._shared[key] = asyncio.ensure_future(self._carry_out(name, args, kwargs))
        return await asyncio.shield(self._shared[key])

    async def _carry_out(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        try:
            value = await asyncio.wait_for(_invoke(self._tools[name], args, kwargs), self._deadline_s)
            return {"value": _checked(name, value)}, None
        except TimeoutError as error:
            return _refusal("TimeoutError", str(error) or f"{name}() did not answer in {self._deadline_s:g} s"), error
        except Exception as error:
            return _refusal(type(error).__name__, str(error)), error


class Recorded(Answers):
    """Answers from a record instead of from the tools: for code that runs again to make a state again."""

    def __init__(self, calls: Sequence[Mapping[str, Any]]) -> None:
        super().__init__({}, 0.0, share=False)
        self._left = [dict(call) for call in calls]
        self.missed = False

    async def answer(self, message: dict[str, Any], log: ToolLog) -> dict[str, Any]:
        """The first answer on record to the same call."""
        for place, call in enumerate(self._left):
            if all(call[key] == message.get(key) for key in ("name", "args", "kwargs")):
                del self._left[place]
                return {key: call[key] for key in ("value", "error") if key in call}
        self.missed = True
        return _refusal("RuntimeError", "this call is not on record")


async def _invoke(tool: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(tool) or inspect.iscoroutinefunction(getattr(tool, "__call__", None)):  # noqa: B004
        return await tool(*args, **kwargs)
    value = await asyncio.get_running_loop().run_in_executor(None, lambda: tool(*args, **kwargs))
    return await value if inspect.isawaitable(value) else value


def _checked(name: str, value: Any) -> Any:
    """The tool's answer as plain data. Raises TypeError, ValueError."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name}() answered something that is no plain data: {error}") from None
    if len(text) > MAX_ANSWER_CHARS:
        raise ValueError(f"{name}() answered {len(text):,} characters; at most {MAX_ANSWER_CHARS:,} are passed on")
    return value


def _refusal(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": wire.clean(message)[:4_000]}}

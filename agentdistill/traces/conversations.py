"""From the messages of somebody else's agent to steps of ours.

Roles are system, user, assistant, tool-call and tool-response; content is text or a list of
`{"type": "text", "text": ...}`. An observation may stand with or without its `Observation:` header. What was shown to
the model stays as it was, header aside. Which rows hold such messages, and where, say the files in `formats/`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentdistill.agent import THOUGHT_CODE
from agentdistill.final_answer import final_answer_call
from agentdistill.types import ActionError, FinishReason, PartKind, Step, StopReason


class UnreadableRowError(Exception):
    """One row does not hold a conversation; the text is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation taken apart."""

    system: str | None
    task: str  # the first user message, without `New task:` and references
    steps: tuple[Step, ...]
    answer: str | None  # what the last step gave to final_answer, where the conversation shows it
    stop_reason: StopReason
    protocol: str = THOUGHT_CODE.name  # that can read the steps; training examples may get its prompt


_TEXT_TYPES = frozenset({"text", None})
_ROLES = {"developer": "system", "tool": "tool-response", "tool_response": "tool-response", "tool_call": "tool-call"}
_HEADER = re.compile(r"\A\s*Observations?:[ \t]*\n?")
_CALL_ID = re.compile(r"\A\s*Call id: .*\n")
_REFERENCE = re.compile(r"<reference>.*?</reference>", re.DOTALL)
_NEW_TASK = re.compile(r"\A\s*New task:[ \t]*\n?")
_LAST_OUTPUT = re.compile(r"Last output from code snippet:\n")
_MAX_STEPS = "Reached max steps"
#: What smolagents, and our own episodes, tell an agent whose action could not be parsed.
_NOT_RUN = re.compile(r"Error in code parsing|Write `Thought:` with your reasoning")
_OBSERVES = re.compile(r"\A\s*(?:Observations?:|Call id: |Error:)")
_RESPONSE_FAILED = re.compile(r"\A\s*Error:")
_STOPPED = "Error: the code was stopped"
_PRINTED_FAILED = re.compile(
    r"^Error:[ \t]*$|^Error: [\w.]*(?:Error|Exception|Exit|Interrupt|Iteration|Warning)\b"
    r"|^Traceback \(most recent call last\)|^Code execution failed at line |^Error: the code was stopped",
    re.MULTILINE,
)


def read_conversation(messages: object, has_responses: bool) -> Conversation:
    """Take the messages of one row apart. Raises UnreadableRowError with the reason.

    With `has_responses` what a tool answered has a role of its own, and an action that fails has a response for the
    error beside what it printed; without, every user message after the first is an observation.
    """
    if not isinstance(messages, list | tuple) or not messages:
        raise UnreadableRowError("messages are not a list")
    turns = [(role, text) for role, text in map(_turn, messages) if role != "tool-call"]
    systems = [text for role, text in turns if role == "system"]
    if len(systems) > 1:
        raise UnreadableRowError("more than one system message")
    spoken = [turn for turn in turns if turn[0] != "system"]
    if not spoken or spoken[0][0] != "user":
        raise UnreadableRowError("no user message at the beginning")
    task = _REFERENCE.sub("", _NEW_TASK.sub("", spoken[0][1])).strip()
    steps = tuple(_step(written, responses, has_responses) for written, responses in _pair(spoken[1:], has_responses))
    return _conclude(systems[0] if systems else None, task, steps)


def _turn(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict) or "role" not in message:
        raise UnreadableRowError("a message without a role")
    # Stored by str() of the enumeration, a role reads "MessageRole.TOOL_RESPONSE".
    role = str(message["role"]).removeprefix("MessageRole.").lower().replace("_", "-")
    role = _ROLES.get(role, role)
    if role not in ("system", "user", "assistant", "tool-call", "tool-response"):
        raise UnreadableRowError("a message with an unknown role")
    return role, _text(message.get("content"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise UnreadableRowError("a message without text")
    parts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") not in _TEXT_TYPES or not isinstance(part.get("text"), str):
            raise UnreadableRowError("a message that is not text (an image?)")
        parts.append(part["text"])
    return "\n".join(parts)


def _pair(turns: Iterable[tuple[str, str]], has_responses: bool) -> list[tuple[str, list[str]]]:
    """(what the agent wrote, the responses to it, without their headers) of each step."""
    pairs: list[tuple[str, list[str]]] = []
    previous = "user"
    for role, text in turns:
        if role == "assistant":
            if previous == "assistant":
                raise UnreadableRowError("two assistant messages in a row")
            pairs.append((text, []))
        elif not pairs:
            raise UnreadableRowError("two user messages before the agent")
        elif has_responses and role == "user" and not _OBSERVES.match(text):
            raise UnreadableRowError("a further user message that is no observation")
        else:
            pairs[-1][1].append(_HEADER.sub("", _CALL_ID.sub("", text)).strip("\n"))
        previous = role
    if not pairs:
        raise UnreadableRowError("no assistant message")
    return pairs


def _step(written: str, responses: list[str], has_responses: bool) -> Step:
    turn = THOUGHT_CODE.read(written, FinishReason.STOP)
    parts, error, message = turn.parts, turn.error, turn.error_message
    observed = "\n".join(responses)
    if error is None and (found := _NOT_RUN.search(observed)) is not None:
        # Code that our rules find but that was never run there.
        parts = tuple(part for part in parts if part.kind in (PartKind.REASONING, PartKind.THOUGHT))
        error, message = ActionError.NO_CODE, _excerpt(observed[found.start() :])
    elif error is None and (failure := _failure(responses, has_responses)):
        error = ActionError.LIMIT if failure.startswith(_STOPPED) else ActionError.EXECUTION
        message = _excerpt(failure)
    return Step(turn.text, parts, observed, error=error, error_message=message)


def _failure(responses: list[str], has_responses: bool) -> str:
    """What the code raised, as the agent saw it; empty where it did not fail."""
    if has_responses:
        return next((text.strip() for text in responses if _RESPONSE_FAILED.match(text)), "")
    text = "\n".join(responses)
    found = _PRINTED_FAILED.search(text)
    return text[found.start() :] if found else ""


def _excerpt(text: str) -> str:
    return text[:2_000].strip()


def _conclude(system: str | None, task: str, steps: tuple[Step, ...]) -> Conversation:
    last = steps[-1]
    call = final_answer_call(last.code)
    if call is None or last.error is not None or _MAX_STEPS in last.observation:
        return Conversation(system, task, steps, None, StopReason.MAX_STEPS)
    shown = _LAST_OUTPUT.split(last.observation)
    answer = shown[-1].strip() if len(shown) > 1 else _literal(call)
    ended = Step(last.text, last.parts)  # as in our own records: nothing is observed after the answer
    return Conversation(system, task, (*steps[:-1], ended), answer, StopReason.FINAL_ANSWER)


def _literal(call: ast.Call) -> str | None:
    """The answer where it stands in the code as it is; None where it was computed."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if len(given) != 1:
        return None
    try:
        return str(ast.literal_eval(given[0]))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None

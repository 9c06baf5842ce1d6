"""From what the code did to what the model reads."""

from __future__ import annotations

from agentdistill.types import OBSERVATION_HEADER, Limit, Outcome

HEADER = OBSERVATION_HEADER

#: Errors in whose message the sandbox itself says which limit ended the code.
_SAID_BY_SANDBOX = frozenset({"LimitExceeded", "Crash"})

_LIMIT_WORDS = {
    Limit.WALL: "it ran longer than the time limit",
    Limit.CPU: "it used more processor time than the limit",
    Limit.MEMORY: "it used more memory than the limit",
    Limit.OUTPUT: "it printed more than the limit",
    Limit.FILES: "it wrote more or larger files than the limit",
    Limit.PROCESSES: "it started more processes or threads than the limit",
    Limit.VALUE: "its result was larger than the limit",
    Limit.CRASH: "the interpreter died",
}


def observe(outcome: Outcome, max_chars: int) -> str:
    """The observation's text (without its header): output, last value, error; head and tail where it is too long."""
    parts = [outcome.stdout.rstrip("\n")] if outcome.stdout.strip() else []
    if outcome.value is not None and outcome.value != "None":
        parts.append(outcome.value)
    if outcome.error is not None:
        parts.append(f"Error: {outcome.error.type}: {outcome.error.message}".rstrip(": "))
    if outcome.limit is not None and (outcome.error is None or outcome.error.type not in _SAID_BY_SANDBOX):
        ended = f"Error: the code was stopped: {_LIMIT_WORDS[outcome.limit]}."
        parts.append(ended if not outcome.state_lost else f"{ended} The session's variables are lost.")
    return cut("\n".join(parts) or "(no output)", max_chars)


def cut(text: str, max_chars: int) -> str:
    """Keep head and tail, and say how much is gone; the result may be longer than max_chars by that sentence."""
    if len(text) <= max_chars:
        return text
    head = max_chars * 2 // 3
    tail = max_chars - head
    return f"{text[:head]}\n... ({len(text) - max_chars} characters cut) ...\n{text[-tail:]}"

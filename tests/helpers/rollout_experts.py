"""Experts for rollout tests, importable by workers. They answer in one step unless something is meant to go wrong."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from agentdistill.types import Message, Role

TURN = "Thought: I know it.\nCode:\n```py\n{code}\n```<end_code>"
ANSWER = TURN.format(code="final_answer({answer})")


def _number(messages: Sequence[Message]) -> int:
    found = re.search(r"\d+", messages[1].content)
    assert found is not None
    return int(found.group())


def right(messages: Sequence[Message], seed: int) -> str:
    """The number in the question is the answer."""
    return ANSWER.format(answer=_number(messages))


def raises_on_seven(messages: Sequence[Message], seed: int) -> str:
    """One question always fails."""
    if _number(messages) == 7:
        raise RuntimeError("seven always raises")
    return right(messages, seed)


async def raises_below_ten(messages: Sequence[Message], seed: int) -> str:
    """The first ten questions fail; the others hold the run open until somebody ends it."""
    await _until(lambda: _number(messages) < 10)
    raise RuntimeError("nothing works")


def dies_once(messages: Sequence[Message], seed: int) -> str:
    """Kills its own process, once, at question 5: what a crash of the engine in mid-episode looks like."""
    marker = Path(os.environ["ROLLOUT_TEST_FOLDER"]) / "died"
    if _number(messages) == 5 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), 9)
    return right(messages, seed)


async def waits_at_the_gate(messages: Sequence[Message], seed: int) -> str:
    """Answers questions below 5 at once, the others when the test has opened the gate."""
    await _until(lambda: _number(messages) < 5 or (_folder() / "gate").exists())
    return right(messages, seed)


async def waits_for_company(messages: Sequence[Message], seed: int) -> str:
    """Answers once another actor works too; question 99 once this actor is alone again."""
    (_folder() / f"{os.getpid()}.pid").touch()
    await _until(lambda: len(_actors()) > 1)
    if _number(messages) == 99:
        await _until(lambda: sum(map(_is_alive, _actors())) == 1)
    return right(messages, seed)


async def searches(messages: Sequence[Message], seed: int) -> str:
    """Searches, and answers from what it found; from question 10 on it waits in between until the gate is open."""
    if messages[-1].role is Role.USER and len(messages) == 2:
        return TURN.format(code=f"found = search('about {_number(messages)}')\nprint(found)")
    await _until(lambda: _number(messages) < 10 or (_folder() / "gate").exists())
    return TURN.format(code=f"final_answer({_number(messages)} if found.startswith('Doc 1') else found)")


def asks_for_trouble(messages: Sequence[Message], seed: int) -> str:
    """Searches for what makes the retriever of the test fail in a certain way; question 3 fails by itself."""
    if len(messages) > 2:
        return ANSWER.format(answer=_number(messages))
    what = ("an error", "a long wait", "nonsense")
    code = (
        f"search({what[_number(messages)]!r})" if _number(messages) < 3 else "raise ConnectionError('my own mistake')"
    )
    return TURN.format(code=code)


def _folder() -> Path:
    return Path(os.environ["ROLLOUT_TEST_FOLDER"])


def _actors() -> list[int]:
    return [int(path.stem) for path in _folder().glob("*.pid")]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def notes_its_gpus(messages: Sequence[Message], seed: int) -> str:
    """Leaves a file a process with the GPUs that Ray gave it."""
    (_folder() / f"{os.getpid()}.gpus").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    return right(messages, seed)


async def with_the_other_gpus(messages: Sequence[Message], seed: int) -> str:
    """The same, but answers only once four actors have come."""
    notes_its_gpus(messages, seed)
    await _until(lambda: len(list(_folder().glob("*.gpus"))) == 4)
    return right(messages, seed)


async def judges_with_a_gpu(messages: Sequence[Message], seed: int) -> str:
    """Finds every answer right, once two judges are there."""
    (_folder() / f"{os.getpid()}.gpus").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    await _until(lambda: len(list(_folder().glob("*.gpus"))) == 2)
    return '{"correct": true}'

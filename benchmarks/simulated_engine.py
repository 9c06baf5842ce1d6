"""An engine whose tokens take time and nothing else: what a rollout makes of it can be told exactly.

It writes up to `slots` sequences at once, each at `tokens_per_s`; further requests wait their turn. Its capacity is
`slots * tokens_per_s` and is reached when all slots write all the time. A turn's length is lognormal; one question in
`long_every`, drawn at random, has turns `long_factor` times as long. Lengths depend on question and turn alone, so that
every contender gets the same work. Prompts cost nothing.

A rollout reaches it through the public protocol, as `engine=scripted` with `expert=simulated_engine:expert`; the file
that the environment variable SIMULATED_ENGINE names says how fast it is and where it keeps its log.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import os
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentdistill.types import Kind, Message, Question, Role

VARIABLE = "SIMULATED_ENGINE"
_FILLER = "so the next thing to find out is what follows from this, and " * 4_000
_CODES = ("x = {number}\nprint(x)", "x = 2 * x\nprint(x)")
_LAST_CODE = "final_answer(x)"


@dataclass(frozen=True)
class Speed:
    """How fast the engine is, and what it writes."""

    slots: int
    tokens_per_s: float = 300.0  # of each slot
    median_tokens: float = 150.0  # of a turn
    sigma: float = 0.6  # of the lengths' logarithm
    turns: int = 3  # of an episode; the last one answers
    long_every: int = 50  # one question in so many is long; 0: none
    long_factor: float = 20.0
    log: str = ""  # folder

    @property
    def capacity(self) -> float:
        """Tokens a second with all slots at work."""
        return self.slots * self.tokens_per_s

    def tokens(self, number: int, turn: int) -> int:
        """Length of one turn of one question."""
        rng = random.Random(f"{number}:{turn}")
        long = self.long_every and random.Random(f"long:{number}").random() < 1 / self.long_every
        drawn = self.median_tokens * rng.lognormvariate(0, self.sigma) * (self.long_factor if long else 1)
        return max(1, round(drawn))


@dataclass(frozen=True)
class Turn:
    """One turn as it was written; times are of the machine's monotonic clock, the same in all processes."""

    process: int
    number: int  # of the question
    turn: int
    tokens: int
    began_s: float
    written_s: float  # when its last token was due
    seen_s: float  # when the caller got it
    cpu_s: float  # that the caller's process had used by then, all its threads


class SimulatedEngine:
    """Writes turns in the time that they take. One instance serves either coroutines or threads."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self._slots = asyncio.Semaphore(speed.slots)
        self._thread_slots = threading.BoundedSemaphore(speed.slots)
        path = Path(speed.log) / f"{os.getpid()}.jsonl"
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def write(self, number: int, turn: int) -> str:
        async with self._slots:
            began, due, tokens = self._begin(number, turn)
            await asyncio.sleep(due - time.monotonic())
        self._note(number, turn, tokens, began, due)
        return self._text(number, turn, tokens)

    def write_in_thread(self, number: int, turn: int) -> str:
        """As `write`, for a caller that blocks."""
        with self._thread_slots:
            began, due, tokens = self._begin(number, turn)
            time.sleep(max(0.0, due - time.monotonic()))
        self._note(number, turn, tokens, began, due)
        return self._text(number, turn, tokens)

    def _begin(self, number: int, turn: int) -> tuple[float, float, int]:
        began, tokens = time.monotonic(), self._speed.tokens(number, turn)
        return began, began + tokens / self._speed.tokens_per_s, tokens

    def _note(self, number: int, turn: int, tokens: int, began: float, due: float) -> None:
        record = [os.getpid(), number, turn, tokens, began, due, time.monotonic(), time.process_time()]
        os.write(self._log, (json.dumps(record) + "\n").encode())

    def _text(self, number: int, turn: int, tokens: int) -> str:
        code = _LAST_CODE if turn + 1 >= self._speed.turns else _CODES[min(turn, 1)].format(number=number)
        # About four characters a token.
        return f"Thought: {_FILLER[: 4 * tokens]}\nCode:\n```py\n{code}\n```<end_code>"


async def expert(messages: Sequence[Message], seed: int) -> str:
    """The assistant's next turn; the engine of this process is opened at the first one."""
    return await _engine_here().write(asked_number(messages[1].content), count_turns(messages))


def short_answer(messages: Sequence[Message], seed: int) -> str:
    """A chain of thought of two thousand characters and the answer, at once."""
    return f"{_FILLER[:2_000]}\n\nAnswer: {2 * asked_number(messages[1].content)}"


@functools.cache
def _engine_here() -> SimulatedEngine:
    settings = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    return SimulatedEngine(Speed(**settings))


def asked_number(text: str) -> int:
    found = re.search(r"twice (\d+)", text)
    assert found is not None, text
    return int(found.group(1))


def count_turns(messages: Sequence[Message]) -> int:
    return sum(message.role is Role.ASSISTANT for message in messages)


def questions(count: int, first: int = 0) -> list[Question]:
    """Questions that the engine can answer."""
    return [
        Question(f"q{number}", f"What is twice {number}?", (str(2 * number),), Kind.MATH, "simulated")
        for number in range(first, first + count)
    ]


def settle(speed: Speed, path: Path) -> None:
    """Write down how fast engines are that open from now on, and give them an empty log."""
    Path(speed.log).mkdir(parents=True)
    path.write_text(json.dumps(dataclasses.asdict(speed)), encoding="utf-8")


def read_log(folder: str) -> list[Turn]:
    """All turns of all processes, in the order in which they began."""
    lines = [line for path in Path(folder).glob("*.jsonl") for line in path.read_text(encoding="ascii").splitlines()]
    return sorted((Turn(*json.loads(line)) for line in lines), key=lambda turn: turn.began_s)


def steady(turns: Sequence[Turn], in_flight: int) -> tuple[float, float]:
    """From when `in_flight` episodes had begun to when the last one did: before and after there are not enough."""
    starts = [turn.began_s for turn in turns if turn.turn == 0]
    assert len(starts) > in_flight, f"{len(starts)} episodes have no steady part with {in_flight} in flight"
    return starts[in_flight - 1], starts[-1]


def whole(turns: Sequence[Turn]) -> tuple[float, float]:
    return turns[0].began_s, max(turn.seen_s for turn in turns)


def tokens_within(turns: Sequence[Turn], window: tuple[float, float]) -> float:
    """Tokens that the engine wrote in a span of time; a turn's tokens come evenly until it is due, never later."""
    total = 0.0
    for turn in turns:
        overlap = min(turn.written_s, window[1]) - max(turn.began_s, window[0])
        if overlap > 0:
            total += turn.tokens * overlap / (turn.written_s - turn.began_s)
    return total


def steps_within(turns: Sequence[Turn], window: tuple[float, float]) -> int:
    return sum(window[0] <= turn.seen_s < window[1] for turn in turns)


def cpu_within(turns: Sequence[Turn], window: tuple[float, float]) -> float:
    """Processor seconds that the engines' processes used between their first and last turn seen in a span of time."""
    used = 0.0
    for process in {turn.process for turn in turns}:
        seen = [turn.cpu_s for turn in turns if turn.process == process and window[0] <= turn.seen_s < window[1]]
        used += max(seen) - min(seen) if seen else 0.0
    return used


def most_in_flight(turns: Sequence[Turn], last_turn: int) -> int:
    """The most episodes of one process that were between their first request and their answer at one moment."""
    most = 0
    for process in {turn.process for turn in turns}:
        own = [turn for turn in turns if turn.process == process]
        changes = [(turn.began_s, 1) for turn in own if turn.turn == 0]
        changes += [(turn.seen_s, -1) for turn in own if turn.turn == last_turn]
        now = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
    return most


def parts_of(window: tuple[float, float], count: int) -> list[tuple[float, float]]:
    """The span cut into `count` equal ones, for the spread."""
    length = (window[1] - window[0]) / count
    return [(window[0] + index * length, window[0] + (index + 1) * length) for index in range(count)]

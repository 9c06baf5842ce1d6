"""One pace for all requests of this process to one endpoint: while it says that it is busy, all of them wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

#: A pause that is asked for is waited for, up to this, whatever the patience.
LONGEST_PAUSE_S = 120.0
_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.5, 30.0
#: So often in a row a pause that the endpoint asks for is taken for enough; then it grows all the same.
_TRUSTED = 3
_FIRST_GAP_S, _MOST_GAP_S, _NO_GAP_S = 0.02, 1.0, 0.001
_EASE = 0.9  # of the gap stays with each answer: ten gaps in all until there is none


class OutOfPatienceError(Exception):
    """The endpoint has been busy for longer than a request may wait."""


@dataclass(slots=True)
class Patience:
    """How long one request has been waiting for a busy endpoint."""

    limit_s: float
    since: float | None = None  # on the pace's clock; None where it has not had to wait

    def lasts(self, now: float, until: float) -> bool:
        """Whether it may wait until then; its time begins with the first question."""
        self.since = now if self.since is None else self.since
        return until - self.since <= self.limit_s


class Pace:
    """When the next request may start.

    A busy answer stops all starts for as long as it asks for, or for growing pauses. Behind the pause the requests
    start one by one, at a distance that shrinks with each answer and doubles with each further pause: all at once they
    would find the endpoint busy again.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._open_at = float("-inf")  # no start before
        self._next_at = float("-inf")  # the next start where there is a gap
        self._gap_s = 0.0
        self._pauses = 0  # in a row, without an answer in between

    def now(self) -> float:
        return self._clock()

    async def turn(self, patience: Patience) -> None:
        """Wait until this request may start. Raises OutOfPatienceError where that is later than it may wait."""
        while True:
            now = self._clock()
            if now < self._open_at:
                if not patience.lasts(now, self._open_at):
                    raise OutOfPatienceError
                await self._sleep(self._open_at - now)
                continue
            if now >= self._next_at:
                self._next_at = now + self._gap_s
                return
            await self._sleep(self._next_at - now)

    def hold(self, asked_s: float | None) -> float:
        """The endpoint is busy: nobody starts for so long, or for a growing pause. Returns when they may, on the clock.

        The answers of requests that started before the pause make it no longer than they ask for.
        """
        now = self._clock()
        if now >= self._open_at:
            self._pauses += 1
            self._gap_s = min(max(2 * self._gap_s, _FIRST_GAP_S), _MOST_GAP_S)
        pause_s = _growing_s(self._pauses) if asked_s is None else asked_s
        if self._pauses > _TRUSTED:
            pause_s = max(pause_s, _growing_s(self._pauses - _TRUSTED))
        # Jitter, so that processes that were turned away together do not come back together.
        self._open_at = max(self._open_at, now + pause_s * (1 + 0.25 * self._jitter()))
        return self._open_at

    def ease(self) -> None:
        """The endpoint answered."""
        self._pauses = 0
        self._gap_s = 0.0 if self._gap_s < _NO_GAP_S else self._gap_s * _EASE
        self._next_at = min(self._next_at, self._clock() + self._gap_s)


def _growing_s(pauses: int) -> float:
    return min(_FIRST_PAUSE_S * 2 ** (pauses - 1), _MOST_PAUSE_S)


_PACES: dict[str, Pace] = {}


def pace_of(endpoint: str) -> Pace:
    """The one pace of this process to the endpoint, whichever engine asks."""
    return _PACES.setdefault(endpoint, Pace())


def backoff_s(failures: int) -> float:
    """The pause before a request that failed so many times is tried again."""
    return min(0.5 * 2 ** (failures - 1), 8.0) * (1 - 0.25 * random.random())


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the answer asks to wait, from `Retry-After` as seconds or as a date (or in ms); None for none.

    `now`: Unix time.
    """
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))

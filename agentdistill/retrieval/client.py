"""The service's client in Python: sends what is asked at once together, and retries while that makes sense."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from agentdistill.config.retriever import RetrieverConfig
from agentdistill.errors import BusyError, RetrieverError, UserError
from agentdistill.handles import Application, cause, dropped_by_serve
from agentdistill.retrieval.queries import check_k, clean_query
from agentdistill.types import Passage

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
#: A request that gives up at its deadline says why: its callers wait so much longer to hear it.
GRACE_S = 0.5
#: From one process: one that the replica works on, one that waits there.
REQUESTS_PER_REPLICA = 2
#: Queries sent in one request. A request has a price of about a millisecond, whatever is in it.
MAX_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class _Call:
    """One caller that waits."""

    queries: list[str]
    answer: asyncio.Future[list[list[Passage]]]
    expires_at: float  # time.monotonic()


class ServiceSearch:
    """Satisfies `agentdistill.types.Search` through a Serve handle. Picklable: send it to any worker of the cluster.

    Calls that come while `requests_in_flight` requests are under way wait for the next one and go in it together.
    """

    def __init__(
        self,
        app: str | Any = "retriever",
        deadline_s: float = 30.0,
        requests_in_flight: int = 2,
        max_together: int = MAX_TOGETHER,
    ) -> None:
        """`app`: the Serve application's name, or a DeploymentHandle. `deadline_s`: of one call, retries included.

        `requests_in_flight`: of one process, two for each replica keep all of them busy. `max_together`: queries in one
        request; 1 sends each call alone.
        """
        self._app = Application(app)
        self.deadline_s = deadline_s
        self.requests_in_flight = requests_in_flight
        self._max_together = max_together
        self._lanes: WeakKeyDictionary[Any, dict[int, _Lane]] = WeakKeyDictionary()

    async def __call__(self, queries: list[str], k: int) -> list[list[Passage]]:
        """At most k passages a query, best first.

        A busy service, or a replica that died, is asked again with growing pauses until the deadline. Then raises
        what it said last: BusyError where it was busy, else RetrieverError. Raises UserError for k < 1 or what is no
        query, at once.
        """
        check_k(k)
        clean = [clean_query(query) for query in queries]
        lanes = self._lanes.setdefault(asyncio.get_running_loop(), {})
        if k not in lanes:
            lanes[k] = _Lane(self, k, self.requests_in_flight, self._max_together)
        return await lanes[k].ask(clean, time.monotonic() + self.deadline_s)

    async def stats(self) -> dict[str, float]:
        """The counts of one replica: see `RetrieverReplica.stats`. Raises RetrieverError where it is down."""
        try:
            return await self._app.handle.stats.remote()
        except Exception as error:
            raise _translated(error) from error

    async def send(self, queries: list[str], k: int, expires_at: float) -> list[list[Passage]]:
        """Ask until there is an answer or the time is up."""
        pause_s = FIRST_PAUSE_S
        said: Exception | None = None
        while True:
            try:
                return await self._ask(queries, k, max(expires_at - time.monotonic(), 0.001))
            except (BusyError, RetrieverError) as error:
                # The last try has what is left of the time: that it was too short must not hide what is wrong.
                said = error if said is None or not isinstance(error.__cause__, TimeoutError) else said
                # Jitter, so that clients that were turned away together do not come back together.
                wait_s = pause_s * random.uniform(0.5, 1.5)
                if time.monotonic() + wait_s >= expires_at:
                    raise type(said)(f"{said} (asked again for {self.deadline_s:g} s)") from said
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _ask(self, queries: list[str], k: int, remaining_s: float) -> list[list[Passage]]:
        try:
            response = self._app.handle.search.remote(queries, k, remaining_s)
            results = await asyncio.wait_for(response, remaining_s)
        except TimeoutError as error:
            raise RetrieverError("the retriever did not answer in time") from error
        except asyncio.CancelledError:
            if not dropped_by_serve():
                raise
            raise RetrieverError("the retriever dropped the request") from None
        except Exception as error:
            raise _translated(error) from error
        return _passages(results, len(queries))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lanes": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lanes=WeakKeyDictionary())


def service_search(app: str, config: RetrieverConfig) -> ServiceSearch:
    """The client of a service that was deployed with this config."""
    return ServiceSearch(app, config.deadline_s, REQUESTS_PER_REPLICA * config.max_replicas)


class _Lane:
    """The calls of one event loop with one k, on their way in a bounded number of requests."""

    def __init__(self, search: ServiceSearch, k: int, width: int, max_together: int) -> None:
        self._search = search
        self._k = k
        self._width = width
        self._max_together = max_together
        self._waiting: list[_Call] = []
        self._senders: set[asyncio.Task[None]] = set()

    async def ask(self, queries: list[str], expires_at: float) -> list[list[Passage]]:
        call = _Call(queries, asyncio.get_running_loop().create_future(), expires_at)
        self._waiting.append(call)
        if len(self._senders) < self._width:
            sender = asyncio.create_task(self._send_all())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        try:
            return await asyncio.wait_for(call.answer, max(expires_at - time.monotonic(), 0.0) + GRACE_S)
        except TimeoutError as error:
            raise RetrieverError("the retriever did not answer in time") from error

    async def _send_all(self) -> None:
        while calls := self._take():
            try:
                queries = [query for call in calls for query in call.queries]
                results = await self._search.send(queries, self._k, max(call.expires_at for call in calls))
                _give_out(calls, results)
            except Exception as error:
                for call in calls:
                    if not call.answer.done():
                        call.answer.set_exception(error)
            finally:
                # Where this task itself was cancelled, nobody else would answer them.
                for call in calls:
                    call.answer.cancel()

    def _take(self) -> list[_Call]:
        """The calls that go together now, in the order they came; those that were given up are left out."""
        self._waiting = [call for call in self._waiting if not call.answer.done()]
        number, size = 0, 0
        for call in self._waiting:
            size += len(call.queries)
            if number and size > self._max_together:
                break
            number += 1
        taken, self._waiting = self._waiting[:number], self._waiting[number:]
        return taken


def _give_out(calls: list[_Call], results: list[list[Passage]]) -> None:
    start = 0
    for call in calls:
        if not call.answer.done():
            call.answer.set_result(results[start : start + len(call.queries)])
        start += len(call.queries)


def _passages(results: Any, num_queries: int) -> list[list[Passage]]:
    """The answer's rows. Raises RetrieverError for what is no answer: it must not look like one that found nothing."""
    try:
        found = [[Passage(*row) for row in rows] for rows in results]
        sound = len(found) == num_queries and all(_is_sound(passage) for passages in found for passage in passages)
    except TypeError:
        sound = False
    if not sound:
        raise RetrieverError(
            f"the retriever answered {str(results)[:200]!r}, expected for each of {num_queries} queries a list of "
            "(id, title, text, score)"
        )
    return found


def _is_sound(passage: Passage) -> bool:
    texts = (passage.id, passage.title, passage.text)
    return all(isinstance(text, str) for text in texts) and isinstance(passage.score, int | float)


def _translated(error: Exception) -> Exception:
    """What a failed call means here: busy, down, or the caller's own mistake."""
    from ray.serve.exceptions import BackPressureError

    error = cause(error)
    if isinstance(error, UserError | BusyError | RetrieverError):
        return error
    if isinstance(error, BackPressureError):
        return BusyError(f"the retriever's queue is full: {error}")
    return RetrieverError(f"the retriever is down: {type(error).__name__}: {str(error).strip()[:300]}")

"""A busy endpoint slows all requests of the process together, and is outlasted."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from chat_endpoint import Raw, completion, raw_endpoint

from agentdistill.config import EngineConfig
from agentdistill.engines import open_engine
from agentdistill.engines.openai.pace import OutOfPatienceError, Pace, Patience, pace_of, retry_after_s
from agentdistill.errors import EngineError
from agentdistill.types import Message, Request, Role, Sampling

ONCE = Request((Message(Role.USER, "What is 1 + 1?"),), Sampling())
BUSY = {"error": {"message": "slow down", "type": "rate_limit"}}


class Time:
    """A clock that runs only while everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + max(seconds, 1e-6), next(self._order), woken))
        await woken

    async def run(self, tasks: list[asyncio.Task[Any]]) -> None:
        while not all(task.done() for task in tasks):
            for _ in range(8):  # what one wake-up sets going
                await asyncio.sleep(0)
            if self._sleepers:
                self.now, _, woken = heapq.heappop(self._sleepers)
                woken.set_result(None)


async def busy_for(time: Time, until: float, num_requests: int, patience_s: float, asks_s: float | None = None) -> Any:
    """Requests to an endpoint that is busy until then: what became of each, and when which was sent."""
    pace, sent = Pace(time.clock, time.sleep, lambda: 0.5), []

    async def ask() -> str:
        patience = Patience(patience_s)
        while True:
            try:
                await pace.turn(patience)
            except OutOfPatienceError:
                return "gave up"
            sent.append(time.now)
            await time.sleep(0.1)
            if time.now >= until:
                pace.ease()
                return "answered"
            pace.hold(asks_s)

    tasks = [asyncio.ensure_future(ask()) for _ in range(num_requests)]
    await time.run(tasks)
    return [task.result() for task in tasks], sent


@pytest.mark.parametrize("asks_s", [None, 0.0, 1.0, 10.0])
async def test_thirty_busy_seconds_are_outlasted_by_all_with_few_requests(asks_s: float | None) -> None:
    time = Time()
    ends, sent = await busy_for(time, 30.0, 64, 300.0, asks_s)
    assert ends == ["answered"] * 64
    # The first of each, then a few behind each pause: not each request for itself.
    assert len([moment for moment in sent if 0 < moment < 30]) < 64
    assert 30 < time.now < 90


async def test_after_a_pause_requests_do_not_start_all_at_once() -> None:
    time = Time()
    _, sent = await busy_for(time, 5.0, 64, 300.0)
    moments = sorted(moment for moment in sent if moment > 5)
    assert max(len([other for other in moments if moment <= other < moment + 0.005]) for moment in moments) <= 16


async def test_an_endpoint_that_stays_busy_is_given_up_by_all_together() -> None:
    time = Time()
    ends, sent = await busy_for(time, float("inf"), 64, 60.0)
    assert ends == ["gave up"] * 64
    assert max(sent) <= 61
    assert time.now < 75


async def test_what_the_endpoint_asks_for_is_waited_for() -> None:
    time = Time()
    pace = Pace(time.clock, time.sleep, lambda: 0.0)
    assert pace.hold(7.0) == 7.0
    assert pace.hold(2.0) == 7.0  # an answer that was under way shortens nothing
    task = asyncio.ensure_future(pace.turn(Patience(60.0)))
    await time.run([task])
    assert time.now == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "30"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "30"}, 30.0),
        ({"retry-after": format_datetime(datetime.fromtimestamp(1_000_030, UTC), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(datetime.fromtimestamp(999_000, UTC), usegmt=True)}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_both_forms_of_retry_after_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=1_000_000.0) == seconds


def test_the_pace_is_one_for_each_endpoint_of_the_process() -> None:
    assert pace_of("http://a/v1") is pace_of("http://a/v1")
    assert pace_of("http://a/v1") is not pace_of("http://b/v1")


def engine(url: str, **settings: Any) -> EngineConfig:
    return EngineConfig(engine="openai", model="m", base_url=url, stall_s=20.0, **settings)


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_busy_endpoint_is_asked_more_often_than_one_that_fails(status: int) -> None:
    busy = Raw(BUSY, status, {"Retry-After": "0"})
    with raw_endpoint([busy, busy, busy, Raw(completion(["two"]))]) as endpoint:
        (found,) = await (await open_engine(engine(endpoint.url, retries=0, patience_s=60)))(ONCE)
    assert (found.text, len(endpoint.requests)) == ("two", 4)


async def test_a_pause_longer_than_the_patience_is_not_waited_for() -> None:
    with raw_endpoint([Raw(BUSY, 429, {"Retry-After": "3600"})]) as endpoint:
        with pytest.raises(EngineError, match=r"m: the endpoint is busy beyond patience_s=300: status 429: slow down"):
            await asyncio.wait_for((await open_engine(engine(endpoint.url)))(ONCE), 20)
    assert len(endpoint.requests) == 1


async def test_an_empty_account_is_not_waited_for() -> None:
    spent = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    with raw_endpoint([Raw(spent, 429)]) as endpoint:
        with pytest.raises(EngineError, match="refused the request: You exceeded your current quota"):
            await asyncio.wait_for((await open_engine(engine(endpoint.url)))(ONCE), 20)
    assert len(endpoint.requests) == 1

"""The sandbox as a service, on a local cluster."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator

import pytest

from agentdistill.config.sandbox import LimitsConfig, SandboxConfig
from agentdistill.errors import BusyError, RetrieverError, SessionLostError, UserError
from agentdistill.sandbox.service.client import ServiceSandbox, ServiceSession
from agentdistill.types import Limit

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

CONFIG = SandboxConfig(
    limits=LimitsConfig(wall_s=5, memory_mb=256),
    preload=["numpy"],
    replicas=2,
    max_replicas=2,
    max_sessions=6,
    cpus_per_replica=0.1,
    idle_s=600,
    patience_s=300,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    import ray
    from ray import serve

    folder = tempfile.mkdtemp(prefix="rs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S", "0.5")  # 10 s else
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, log_to_driver=False, configure_logging=False)
        yield
        serve.shutdown()
        ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def service(cluster: None) -> ServiceSandbox:
    from agentdistill.sandbox.service.deployment import deploy

    # Defined here, so that the replicas get them by value: they cannot import this file.
    async def search(query: str) -> str:
        if query == "down":
            raise RetrieverError("no route to the retriever")
        return f"{query}: {os.urandom(4).hex()}"

    def twice(number: int) -> int:
        return 2 * number

    return deploy(CONFIG, {"search": search, "twice": twice})


@pytest.fixture
async def session(service: ServiceSandbox) -> AsyncIterator[ServiceSession]:
    async with service.session() as session:
        yield session


async def kill_replica(service: ServiceSandbox, session: ServiceSession) -> None:
    stats = await service.call("stats", session._id)
    os.kill(int(stats["pid"]), signal.SIGKILL)


async def test_state_tools_and_answers_work_as_in_process(session: ServiceSession) -> None:
    await session.run("x = twice(21)")
    outcome = await session.run("print(x)\nfinal_answer(search('oslo')[:4])")
    assert (outcome.stdout, outcome.final_answer) == ("42\n", "oslo")


async def test_candidates_fork_and_commit(session: ServiceSession) -> None:
    await session.run("x = 1")
    outcomes = await session.try_all(["x += 1; x", "x += 10; x", "1 / 0"])
    assert [outcome.value for outcome in outcomes] == ["2", "11", None]
    await session.commit(1)
    assert (await session.run("x")).value == "11"


async def test_sessions_stay_on_their_replicas_and_both_have_some(service: ServiceSandbox) -> None:
    sessions = [service.session() for _ in range(CONFIG.max_sessions + 1)]  # more than one replica takes
    for number, session in enumerate(sessions):
        await session.run(f"n = {number}")
    values = [(await session.run("n")).value for session in sessions for _ in range(3)]
    assert values == [str(number) for number in range(len(sessions)) for _ in range(3)]
    assert len({session._id.split("/")[0] for session in sessions}) == 2
    assert all(session.rebuilt == 0 for session in sessions)
    await asyncio.gather(*(session.close() for session in sessions))


async def test_a_retriever_that_is_down_is_told_apart_from_an_error_of_the_code(session: ServiceSession) -> None:
    outcome = await session.run("search('down')")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("RetrieverError", "no route to the retriever")


async def test_limits_hold_and_say_so(session: ServiceSession) -> None:
    assert (await session.run("x = bytearray(10**10)")).limit is Limit.MEMORY
    lost = await session.run("import os; os._exit(1)")
    assert (lost.limit, lost.state_lost) == (Limit.CRASH, True)
    assert (await session.run("1")).value == "1"


async def test_a_tool_that_the_service_lacks_is_named(service: ServiceSandbox) -> None:
    session = service.session(tools=["launch"])
    with pytest.raises(UserError, match="no tool named 'launch'"):
        await session.run("1")


async def test_more_sessions_than_allowed_are_told_to_wait(service: ServiceSandbox) -> None:
    hurried = ServiceSandbox("sandbox", patience_s=0.1)
    held = [service.session() for _ in range(12)]
    await asyncio.gather(*(session.run("1") for session in held))
    with pytest.raises(BusyError, match="holds its 6 sessions"):
        await hurried.session().run("1")
    waiting = asyncio.ensure_future(service.session().run("2"))
    await asyncio.sleep(0.3)
    await asyncio.gather(*(session.close() for session in held))
    assert (await waiting).value == "2"


async def test_a_session_is_made_again_when_its_replica_dies_and_tools_are_not_called_again(
    service: ServiceSandbox, session: ServiceSession
) -> None:
    found = (await session.run("x = search('a')\nx")).value
    await session.try_all(["y = search('b')", "y = 2"])
    await session.commit(0)
    second = (await session.run("y")).value
    await kill_replica(service, session)
    assert (await session.run("x")).value == found
    assert (await session.run("y")).value == second
    assert session.rebuilt == 1


async def test_a_replica_that_dies_between_trying_and_committing_costs_nothing(
    service: ServiceSandbox, session: ServiceSession
) -> None:
    await session.run("x = 1")
    value = (await session.try_all(["x", "y = search('c'); y"]))[1].value
    await kill_replica(service, session)
    await session.commit(1)
    assert (await session.run("y")).value == value


async def test_a_rebuild_that_goes_otherwise_than_before_says_so(
    service: ServiceSandbox, session: ServiceSession
) -> None:
    await session.run("import time\nx = search(str(time.time_ns()))")
    await kill_replica(service, session)
    with pytest.raises(SessionLostError, match="could not be rebuilt: step 1 of 1"):
        await session.run("x")


async def test_nothing_is_left_of_a_replica_that_died(service: ServiceSandbox, session: ServiceSession) -> None:
    await session.run("import os; os.getcwd()")
    folder = (await session.run("os.path.dirname(os.path.dirname(os.getcwd()))")).value
    await kill_replica(service, session)
    assert folder is not None
    async with asyncio.timeout(120):
        while os.path.exists(folder.strip("'")):
            await asyncio.sleep(0.1)


async def test_sessions_that_nobody_uses_expire(cluster: None) -> None:
    from agentdistill.sandbox.service.deployment import deploy

    config = SandboxConfig(preload=[], cpus_per_replica=0.1, idle_s=2.0)
    brief = deploy(config, {}, name="brief")
    session = brief.session()
    await session.run("x = 1")
    held = session._id
    while (await brief.call("stats"))["sessions"]:
        await asyncio.sleep(0.1)
    with pytest.raises(SessionLostError, match="expired"):
        await brief.call("run", held, "x")
    assert (await session.run("x")).value == "1"
    assert (await brief.call("stats"))["expired"] >= 1
    await session.close()


async def test_replicas_that_are_full_of_idle_sessions_get_another_one(cluster: None) -> None:
    from agentdistill.sandbox.service.deployment import deploy

    config = SandboxConfig(preload=[], cpus_per_replica=0.1, replicas=1, max_replicas=2, max_sessions=2)
    growing = deploy(config, {}, name="growing")
    sessions = [growing.session() for _ in range(3)]
    outcomes = await asyncio.gather(*(session.run("x = 1\nx") for session in sessions))
    assert [outcome.value for outcome in outcomes] == ["1"] * 3
    assert len({session._id.split("/")[0] for session in sessions}) == 2
    await asyncio.gather(*(session.close() for session in sessions))

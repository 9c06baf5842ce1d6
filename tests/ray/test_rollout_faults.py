"""Parts of a rollout that are killed, hang or talk nonsense while it runs; after each the counts add up."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import serve
from rollout_parts import cluster_settings, questions, spec_for, stored

from agentdistill.config import IndexConfig, RetrieverConfig, SandboxConfig
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.client import service_search
from agentdistill.retrieval.service import retriever_app
from agentdistill.retrieval.tool import search_tool
from agentdistill.rollout import RolloutProgress, RolloutSpec, run_rollout, take_inventory
from agentdistill.sandbox.service.deployment import sandbox_app
from agentdistill.tasks.world.passages import CorpusRow
from agentdistill.types import ActionError, Question, StopReason

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

RETRIEVER = RetrieverConfig(index=IndexConfig(kind="bm25"), cpus_per_replica=0.1, deadline_s=300.0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of one node."""
    context = ray.init(**cluster_settings(tmp_path_factory.mktemp("marks")))
    yield context.address_info["address"]
    serve.shutdown()
    ray.shutdown()


@pytest.fixture
def marks(cluster: str) -> Path:
    """The folder in which the test and its experts meet, emptied."""
    folder = Path(os.environ["ROLLOUT_TEST_FOLDER"])
    for path in folder.iterdir():
        path.unlink()
    return folder


@pytest.fixture(scope="module")
def retriever(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The application of a retriever that finds a passage for every question."""
    index = tmp_path_factory.mktemp("index") / "index"
    rows = [CorpusRow(str(number), f"Number {number}", f"All about {number}.") for number in range(40)]
    build_index(RETRIEVER, rows, index)
    serve.start(proxy_location="Disabled")
    serve.run(retriever_app(index, RETRIEVER), name="retriever", route_prefix=None)
    return "retriever"


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < until, "the condition never came true"
        time.sleep(0.05)


def test_a_driver_killed_in_the_middle_costs_nothing(cluster: str, marks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trajectories"
    script = Path(__file__).parents[1] / "helpers" / "rollout_driver.py"
    driver = subprocess.Popen([sys.executable, str(script), cluster, str(folder), "waits_at_the_gate", "12"])
    try:
        wait_until(lambda: driver.poll() is not None or len(take_inventory(str(folder)).finished) == 5)
        assert driver.poll() is None
    finally:
        driver.kill()
        driver.wait()
    before = {row.key: row.started_at for row in stored(folder)}
    (marks / "gate").touch()
    summary = run_rollout(questions(12), spec_for(folder, "waits_at_the_gate"))
    assert (summary.total, summary.finished, summary.failed) == (12, 12, 0)
    assert summary.reused >= len(before) == 5
    after = {row.key: row.started_at for row in stored(folder)}
    assert len(stored(folder)) == len(after) == 12
    assert {key: after[key] for key in before} == before


def test_the_pool_grows_under_load_and_shrinks_when_nothing_is_left(marks: Path, tmp_path: Path) -> None:
    asked = [*questions(30), Question("q99", "What is 99?", ("99",), questions(1)[0].kind, "test")]
    spec = spec_for(tmp_path, "waits_for_company", agent={"time_budget_s": 600.0}, max_actors=3, in_flight=2)
    summary = run_rollout(asked, spec)
    assert (summary.total, summary.finished, summary.failed) == (31, 31, 0)
    assert 2 <= len(list(marks.glob("*.pid"))) <= 3
    # Out of time: nobody came, or nobody went.
    assert {row.stop_reason for row in stored(tmp_path)} == {StopReason.FINAL_ANSWER}


def test_replicas_of_both_services_killed_under_load_cost_nothing(marks: Path, tmp_path: Path, retriever: str) -> None:
    sandbox = SandboxConfig(preload=[], replicas=2, max_replicas=2, cpus_per_replica=0.1)
    search = search_tool(service_search(retriever, RETRIEVER), 1)
    serve.run(sandbox_app(sandbox, {"search": search}), name="sandbox", route_prefix=None)
    killed: list[int] = []

    def kill_one_of_each(progress: RolloutProgress) -> None:
        if progress.finished >= 10 and not killed:
            for app in (retriever, "sandbox"):
                killed.append(int(serve.get_app_handle(app).stats.remote().result(timeout_s=300)["pid"]))
                os.kill(killed[-1], signal.SIGKILL)
            (marks / "gate").touch()

    spec = dataclasses.replace(
        spec_for(tmp_path, "searches"),
        sandbox=sandbox,
        sandbox_app="sandbox",
        retriever_app=retriever,
        retriever=RETRIEVER,
    )
    summary = run_rollout(questions(40), spec, kill_one_of_each)
    assert len(killed) == 2
    assert (summary.total, summary.finished, summary.failed) == (40, 40, 0)
    rows = stored(tmp_path)
    assert len({row.key for row in rows}) == len(rows) == 40
    assert all(row.grade is not None and row.grade.correct for row in rows)
    serve.delete("sandbox")


def bad_retriever() -> Any:
    """An application that fails as the query says."""

    # Defined here, so that replicas get it by value: they cannot import this file.
    @serve.deployment(ray_actor_options={"num_cpus": 0.1}, graceful_shutdown_timeout_s=0)
    class BadRetriever:
        async def search(self, queries: list[str], k: int, deadline_s: float) -> Any:
            if queries == ["a long wait"]:
                await asyncio.sleep(3_600)
            if queries == ["nonsense"]:
                return "<html>It works!</html>"
            raise RuntimeError("500 Internal Server Error")

    return BadRetriever.bind()


def test_a_retriever_that_fails_is_told_from_a_model_that_does(marks: Path, tmp_path: Path, retriever: str) -> None:
    serve.run(bad_retriever(), name="bad", route_prefix=None)
    # Long enough for a first answer: a new actor looks the application up meanwhile.
    config = dataclasses.replace(RETRIEVER, deadline_s=8.0)
    # One episode at a time: the client sends what is asked at once in one request.
    good = dataclasses.replace(spec_for(tmp_path, "asks_for_trouble", in_flight=1), retriever_app=retriever)
    bad: RolloutSpec = dataclasses.replace(good, retriever_app="bad", retriever=config)
    summary = run_rollout(questions(4), bad)
    assert (summary.total, summary.finished, summary.failed) == (4, 1, 3)
    rows = {row.question_id: row for row in stored(tmp_path)}
    errors = [rows[f"q{number}"].error for number in range(3)]
    assert [rows[f"q{number}"].stop_reason for number in range(3)] == [StopReason.RETRIEVER_ERROR] * 3
    for error, words in zip(errors, ["500 Internal Server Error", "did not answer", "<html>It works!"], strict=True):
        assert words in error
    own = rows["q3"]
    assert (own.stop_reason, own.steps[0].error) == (StopReason.FINAL_ANSWER, ActionError.EXECUTION)

    healed = run_rollout(questions(4), good)
    assert (healed.finished, healed.failed, healed.reused) == (4, 0, 1)
    assert len(stored(tmp_path)) == 4
    serve.delete("bad")

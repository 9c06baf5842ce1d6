"""Rollout on a local Ray cluster: resume, failures, deaths; after each the counts add up."""

import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from rollout_parts import cluster_settings, questions, spec_for, stored

from agentdistill import storage
from agentdistill.config import EngineConfig
from agentdistill.errors import ConfigError, DataError, EngineError
from agentdistill.rollout import RolloutProgress, run_rollout
from agentdistill.types import StopReason

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    ray.init(**cluster_settings(tmp_path_factory.mktemp("marks")))
    yield
    ray.shutdown()


def test_every_question_gets_every_sample_with_a_seed_of_its_own(tmp_path: Path) -> None:
    seen: list[RolloutProgress] = []
    summary = run_rollout(questions(10), spec_for(tmp_path, "right", samples=2), seen.append)
    rows = stored(tmp_path)
    assert (summary.total, summary.finished, summary.failed, summary.reused) == (20, 20, 0, 0)
    assert {row.key for row in rows} == {("test", f"q{index}", sample) for index in range(10) for sample in (0, 1)}
    assert all(row.grade and row.grade.correct and row.seed == row.sample_index for row in rows)
    assert len(storage.parquet_files(str(tmp_path))) == 1
    assert seen[-1].total == 20


def test_the_same_rollout_again_runs_only_what_is_missing(tmp_path: Path) -> None:
    run_rollout(questions(4), spec_for(tmp_path, "right"))
    before = {row.key: row.started_at for row in stored(tmp_path)}
    summary = run_rollout(questions(6), spec_for(tmp_path, "right"))
    assert (summary.finished, summary.reused) == (6, 4)
    after = {row.key: row.started_at for row in stored(tmp_path)}
    assert {key: after[key] for key in before} == before
    assert len(after) == 6


def test_a_question_that_always_raises_is_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    summary = run_rollout(questions(12), spec_for(tmp_path, "raises_on_seven"))
    assert (summary.finished, summary.failed) == (11, 1)
    (failed,) = [row for row in stored(tmp_path) if row.stop_reason.is_system]
    assert (failed.question_id, failed.stop_reason) == ("q7", StopReason.ENGINE_ERROR)
    assert "seven always raises" in failed.error
    healed = run_rollout(questions(12), spec_for(tmp_path, "right"))
    assert (healed.finished, healed.failed, healed.reused) == (12, 0, 11)
    assert len(stored(tmp_path)) == 12


def test_a_run_in_which_most_fail_stops_with_the_reason(tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "always_raises", min_failures=5, in_flight=2, attempts=1)
    with pytest.raises(
        EngineError, match=r"failed by the system, more than max_failed_share=0\.2 allows.*nothing works"
    ):
        run_rollout(questions(400), spec)
    assert len(storage.parquet_files(str(tmp_path))) < 400
    assert "rollout-consumer" not in [thread.name for thread in threading.enumerate()]


def test_an_actor_killed_in_mid_episode_costs_nothing(tmp_path: Path) -> None:
    summary = run_rollout(questions(24), spec_for(tmp_path, "dies_once"))
    assert (Path(os.environ["ROLLOUT_TEST_FOLDER"]) / "died").exists()
    assert (summary.total, summary.finished, summary.failed) == (24, 24, 0)
    rows = stored(tmp_path)
    assert len({row.key for row in rows}) == len(rows) == 24


def test_an_engine_that_cannot_start_is_one_clear_error(tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "right")
    spec = dataclasses.replace(spec, engine=EngineConfig(engine="scripted", expert="nowhere"))
    with pytest.raises(ConfigError, match="expert 'nowhere': there is none of that name; expected a known expert"):
        run_rollout(questions(2), spec)


def test_ids_that_stand_twice_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="question id 'q1' stands twice"):
        run_rollout([*questions(2), questions(2)[1]], spec_for(tmp_path, "right"))
    assert not storage.parquet_files(str(tmp_path))


def test_a_torn_file_of_an_earlier_crash_is_named_and_its_rows_made_again(tmp_path: Path) -> None:
    run_rollout(questions(3), spec_for(tmp_path, "right"))
    (path,) = storage.parquet_files(str(tmp_path))
    Path(path).write_bytes(Path(path).read_bytes()[:-30])
    summary = run_rollout(questions(3), spec_for(tmp_path, "right"))
    assert len(summary.torn_files) == 1
    assert (summary.finished, summary.reused) == (3, 0)

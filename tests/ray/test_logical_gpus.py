"""Stages that ask for GPUs, on a cluster that counts four without having one: they start, each actor on its own."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from rollout_parts import cluster_settings, questions, spec_for, stored

from agentdistill.config import EngineConfig, EvaluateConfig, EvaluationCell, JudgeConfig
from agentdistill.evaluate import run_cells
from agentdistill.rollout import run_rollout
from agentdistill.scoring import judge_rollouts
from agentdistill.types import Kind

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

GPUS = 4


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of four logical GPUs, and the folder in which its experts note theirs."""
    folder = tmp_path_factory.mktemp("marks")
    ray.init(**cluster_settings(folder), num_gpus=GPUS)
    yield folder
    ray.shutdown()


def taken(marks: Path) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each actor that wrote, one entry an actor; forgets them."""
    found = [path.read_text() for path in sorted(marks.glob("*.gpus"))]
    for path in marks.glob("*.gpus"):
        path.unlink()
    return sorted(found)


def test_each_actor_of_a_rollout_has_a_gpu_of_its_own(marks: Path, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "with_the_other_gpus", actors=GPUS, gpus_per_actor=1, in_flight=2)
    summary = run_rollout(questions(40), spec)

    assert (summary.finished, summary.failed) == (40, 0)
    assert taken(marks) == ["0", "1", "2", "3"]


def test_an_actor_may_have_several(marks: Path, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "notes_its_gpus", actors=1, gpus_per_actor=2, in_flight=7)
    run_rollout(questions(23), spec)  # a last block that is shorter than the others among them

    assert len(stored(tmp_path)) == 23
    [visible] = taken(marks)
    assert len(set(visible.split(","))) == 2


def test_the_cells_of_an_evaluation_run_on_gpus(marks: Path, tmp_path: Path) -> None:
    base = spec_for(tmp_path / "unused", "notes_its_gpus", actors=1, gpus_per_actor=1)
    cells = [EvaluationCell("one"), EvaluationCell("two", engine=dataclasses.replace(base.engine, max_num_seqs=1))]
    runs = run_cells(questions(8), EvaluateConfig(engine=base.engine, cells=cells), base, str(tmp_path), None)

    assert [len(stored(run.spec.folder)) for run in runs] == [8, 8]
    assert len(taken(marks)) == 2  # two engines, an actor each


def test_judges_run_on_gpus(marks: Path, tmp_path: Path) -> None:
    facts = [dataclasses.replace(question, kind=Kind.FACTUAL) for question in questions(12)]
    spec = spec_for(tmp_path / "episodes", "right")
    engine = EngineConfig(engine="scripted", expert="rollout_experts:judges_with_a_gpu")
    judge = JudgeConfig(engine=engine, actors=2, gpus_per_actor=1, in_flight=2, cache=str(tmp_path / "verdicts"))
    run_rollout(facts, dataclasses.replace(spec, grading=dataclasses.replace(spec.grading, judge=judge)))
    summary = judge_rollouts([spec.folder], judge)

    assert (summary.judged, summary.failed) == (12, 0)
    gpus = taken(marks)
    assert len(gpus) == len(set(gpus)) == 2
    assert set(gpus) <= {str(gpu) for gpu in range(GPUS)}
    assert "CUDA_VISIBLE_DEVICES" not in os.environ

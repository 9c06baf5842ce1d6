"""The benchmark grid on a local Ray cluster, as the command runs it: every cell, shared engines, votes, a judge."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import yaml
from chat_endpoint import chat_endpoint
from grid_experts import ACTION, sometimes_text

from agentdistill import storage
from agentdistill.cli import main
from agentdistill.report.folder import read_run
from agentdistill.report.plots import draw_plots
from agentdistill.report.series import sag_series
from agentdistill.report.tables import all_tables
from agentdistill.schema import TRAJECTORIES, trajectories_from_table
from agentdistill.types import Trajectory

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]

TASKS = ("alpha", "beta")
PER_TASK = 12


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    os.environ["GRID_TEST_FOLDER"] = str(tmp_path_factory.mktemp("marks"))
    path = str(Path(__file__).parents[1] / "helpers")
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=128 * 2**20,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": path, "GRID_TEST_FOLDER": os.environ["GRID_TEST_FOLDER"]}},
    )
    yield
    ray.shutdown()


def write_config(folder: Path, rows: dict[str, list[dict[str, object]]], evaluate: object, **more: object) -> Path:
    """A config of an evaluation alone: no retriever, no student, questions from files of one task each."""
    for task, content in rows.items():
        (folder / f"{task}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in content))
    tests = [{"task": "file", "path": str(folder / f"{task}.jsonl")} for task in rows]
    config = {
        "name": "grid",
        "folder": str(folder / "run"),
        "questions": {"train": [], "test": tests},
        "retriever": {"enabled": False},
        "teacher": {"agent": {"prompt": "teacher"}},
        "select": {"prompt": "student"},
        "sandbox": {"service": False, "preload": []},
        "rollout": {"in_flight": 16, "flush_s": 0.1},
        "evaluate": evaluate,
        **more,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def run(config: Path) -> dict[str, dict[str, object]]:
    """What `agentdistill evaluate` does; returns scores.json."""
    main(["evaluate", "--verbose", "--config", str(config)])
    return dict(json.loads((config.parent / "run" / "scores" / "scores.json").read_text()))


def stored(config: Path, cell: str) -> list[Trajectory]:
    return trajectories_from_table(storage.read_folder(str(config.parent / "run" / "scores" / cell), TRAJECTORIES))


def numbers() -> dict[str, list[dict[str, object]]]:
    """Two tasks of questions whose answer stands in them."""
    return {
        task: [
            {"id": f"{task}-{n}", "question": f"Which number is {n} in {task}?", "answer": str(n)}
            for n in range(PER_TASK)
        ]
        for task in TASKS
    }


AGENT = {"prompt": "student"}
GRID = {
    "engine": {"engine": "scripted", "expert": "grid_experts:sometimes"},
    "agent": AGENT,
    "seeds": [0, 1],
    "cells": [
        {"name": "one"},
        {"name": "sag4", "agent": {**AGENT, "sag": {"n": 4}}},
        {"name": "sag16", "agent": {**AGENT, "sag": {"n": 16}}},
        {"name": "cot", "mode": "cot"},
        {"name": "vote", "mode": "vote", "vote": {"n": 9}},
    ],
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, object]]]:
    config = write_config(tmp_path_factory.mktemp("grid"), numbers(), GRID)
    return config, run(config)


def test_one_command_runs_every_cell_task_and_seed(grid) -> None:
    config, scores = grid
    assert list(scores) == ["one", "sag4", "sag16", "cot", "vote"]
    for name, cell in scores.items():
        assert {task: found["num_questions"] for task, found in cell["by_task"].items()} == dict.fromkeys(TASKS, 12)
        assert (cell["num_episodes"], cell["num_lost"], cell["seeds"]["n"]) == (48, 0, 2), name
        samples = 9 if name == "vote" else 1
        for seed in (0, 1):
            keys = {row.key for row in stored(config, f"{name}-s{seed}")}
            assert len(keys) == len(TASKS) * PER_TASK * samples


def test_cells_with_one_engine_run_in_one_actor(grid) -> None:
    assert len(list(Path(os.environ["GRID_TEST_FOLDER"]).glob("pid-*"))) == 1


def test_a_majority_of_whole_episodes_beats_one(grid) -> None:
    config, scores = grid
    assert scores["one"]["accuracy"] < 0.8 < scores["vote"]["accuracy"]
    assert scores["vote"]["voters"] == 9
    assert scores["vote"]["steps"] == pytest.approx(9 * scores["one"]["steps"])
    seeds = [[row.seed for row in stored(config, f"vote-s{seed}")] for seed in (0, 1)]
    assert not set(seeds[0]) & set(seeds[1])


def test_the_same_command_again_runs_what_is_missing_of_a_vote_and_nothing_else(grid) -> None:
    config, scores = grid
    others = {row.key: row.started_at for row in stored(config, "vote-s0") + stored(config, "sag4-s1")}
    folder = config.parent / "run" / "scores" / "vote-s1"
    (path,) = storage.parquet_files(str(folder))
    table = storage.read_table(path, TRAJECTORIES)
    before = {row.key: row.started_at for row in stored(config, "vote-s1")}
    storage.write_table(path, table.slice(0, 100))
    (config.parent / "run" / "state" / "evaluate.json").unlink()
    again = run(config)
    after = {row.key: row.started_at for row in stored(config, "vote-s1")}
    assert set(after) == set(before)
    assert sum(after[key] == before[key] for key in before) == 100
    assert {row.key: row.started_at for row in stored(config, "vote-s0") + stored(config, "sag4-s1")} == others
    assert {name: cell["accuracy"] for name, cell in again.items()} == {
        name: cell["accuracy"] for name, cell in scores.items()
    }


def test_accuracy_over_n_is_drawn_from_cells_that_differ_in_n_alone(grid) -> None:
    config, scores = grid
    found = read_run(str(config.parent / "run"))
    [(name, points)] = sag_series(found.cells).items()
    assert name == "grid, scripted expert grid_experts:sometimes"
    assert [n for n, _ in points] == [1, 4, 16]
    assert [estimate.value for _, estimate in points] == [
        scores[cell]["average"]["accuracy"] for cell in ("one", "sag4", "sag16")
    ]
    assert points[0][1].value < points[2][1].value
    [plot] = [plot for plot in draw_plots([found]) if plot.name == "sag"]
    assert not plot.missing
    assert "N=16" in plot.inline_svg
    assert plot.png.startswith(b"\x89PNG")


def test_the_report_shows_the_vote_as_one_answer_a_question(grid) -> None:
    config, _ = grid
    found = read_run(str(config.parent / "run"))
    tables = {table.name: table for table in all_tables([found])}
    row = next(row for row in tables["results"].rows if row.header == "vote")
    assert "vote (N=9)" in row.sub
    row = next(row for row in tables["behaviour"].rows if row.header == "vote")
    assert row.entries[0].main == "48"


def test_a_vote_on_a_budget_spends_as_many_tokens_as_the_other_cell(tmp_path: Path) -> None:
    def reply(messages: list[dict[str, str]], seed: int) -> str:
        return sometimes_text(messages[0]["content"], messages[1]["content"], seed)

    with chat_endpoint(reply) as endpoint:
        engine = {"engine": "openai", "model": "m", "base_url": endpoint.url, "dialect": "openai"}
        cells = [
            {"name": "vote", "mode": "vote", "vote": {"n": 32, "budget_of": "sag"}},
            {"name": "sag", "agent": {**AGENT, "sag": {"n": 6}}},
        ]
        config = write_config(tmp_path, numbers(), {"engine": engine, "agent": AGENT, "cells": cells})
        scores = run(config)
        asked = len(endpoint.requests)
        (config.parent / "run" / "state" / "evaluate.json").unlink()
        assert run(config) == scores
        assert len(endpoint.requests) == asked
    assert scores["vote"]["voters"] == 6
    assert scores["vote"]["completion_tokens"] == pytest.approx(scores["sag"]["completion_tokens"], rel=0.1)


PEOPLE = {
    "people": [
        {"id": "p1", "question": "Who was it in 1?", "answer": "Richard Nixon", "kind": "factual"},
        {"id": "p2", "question": "Who was it in 2?", "answer": "Gerald Ford", "kind": "factual"},
        {"id": "p3", "question": "Who was it in 3?", "answer": "James Carter", "kind": "factual"},
    ]
}
SAID = {"1": "President Nixon", "2": "Gerald Ford", "3": "Ronald Reagan"}


def answers(messages: list[dict[str, str]], seed: int) -> str:
    number = messages[1]["content"].split()[-1].rstrip("?")
    return ACTION.format(answer=repr(SAID[number]))


def judges(messages: list[dict[str, str]], seed: int) -> str:
    """Right for the first two; has nothing sensible to say on the third before its second attempt."""
    case = json.loads(messages[-1]["content"])
    if case["prediction"] == "Ronald Reagan" and seed == 0:
        return "Hard to tell."
    return json.dumps({"correct": case["prediction"] != "Ronald Reagan"})


def test_a_judge_that_is_down_leaves_answers_ungraded_and_is_asked_again(tmp_path: Path) -> None:
    with chat_endpoint(answers) as student, chat_endpoint(judges) as judge:
        engine = {"engine": "openai", "base_url": student.url, "dialect": "openai", "model": "s"}
        evaluate = {"engine": engine, "agent": AGENT, "cells": [{"name": "cell"}]}
        down = {
            "engine": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "model": "j",
            "retries": 0,
            "dialect": "openai",
        }
        grading = {"judge": {"engine": down, "backoff_s": 0.0, "attempts": 2, "actors": 1}}
        config = write_config(tmp_path, PEOPLE, evaluate, grading=grading)
        first = run(config)["cell"]
        assert (first["accuracy"], first["num_ungraded"], first["judge"]) == (None, 3, None)
        assert all(row.error.startswith("judge: EngineError") for row in stored(config, "cell"))
        asked = len(student.requests)

        up = write_config(
            tmp_path,
            PEOPLE,
            evaluate,
            grading={"judge": {**grading["judge"], "engine": {**down, "base_url": judge.url}}},
        )
        second = run(up)["cell"]
        assert (second["num_correct"], second["num_ungraded"]) == (2, 0)
        assert second["judge"] == {
            "judged": 3, "agreement": pytest.approx(2 / 3), "only_judge": 1, "only_exact_match": 0,
        }  # fmt: skip
        assert len(student.requests) == asked
        assert len(judge.requests) == 4
        rows = stored(up, "cell")
        assert {row.grade.grader for row in rows if row.grade} == {"judge-1:j"}
        assert not any(row.error for row in rows)

        # What is judged is not asked again, by another run that shares the verdicts either.
        (tmp_path / "other").mkdir()
        shared = {**grading["judge"], "cache": str(tmp_path / "run" / "verdicts")}
        other = write_config(tmp_path / "other", PEOPLE, evaluate, grading={"judge": shared})
        assert run(other)["cell"]["num_correct"] == 2
        assert len(judge.requests) == 4
    tables = {table.name: table for table in all_tables([read_run(str(tmp_path / "run"))])}
    assert tables["judged"].rows[0].entries[1].main == "66.7%"

"""What the report makes of votes, of a judge's verdicts, and of cells that differ in N."""

import base64
import dataclasses
import gzip
import json

import pytest
import yaml
from report_runs import Shape, cell_trajectories, write_run

from agentdistill import storage
from agentdistill.report.folder import read_run
from agentdistill.report.pack import pack
from agentdistill.report.series import sag_series
from agentdistill.report.tables import all_tables
from agentdistill.schema import trajectories_to_table
from agentdistill.types import Grade, Kind

SHAPE = Shape(questions=10, teacher=4, tasks=("hotpotqa",))
VOTERS = 3


@pytest.fixture
def folder(tmp_path):
    """A run with a cell in which three episodes vote, of which the first and the last always agree."""
    folder = write_run(tmp_path / "run", SHAPE)
    rows = [
        dataclasses.replace(
            item,
            mode="vote_agent",
            sample_index=sample,
            seed=sample,
            answer="12" if sample != 1 else "7",
            grade=Grade(float(sample != 1), sample != 1, "math-1"),
        )
        for sample in range(VOTERS)
        for item in cell_trajectories(SHAPE, "vote", 1.0, 1)
    ]
    storage.write_table(str(folder / "scores" / "vote" / "part.parquet"), trajectories_to_table(rows))
    return folder


def cell_of(run, name):
    return next(cell for cell in run.cells if cell.name == name)


def test_a_vote_counts_once_a_question_and_says_of_how_many_episodes(folder):
    cell = cell_of(read_run(str(folder)), "vote")
    assert (len(cell.facts), cell.summary.num_episodes, cell.summary.voters) == (30, 10, 3.0)
    assert cell.summary.accuracy.value == 1.0
    assert cell.method == "agent prompt + vote (N=3)"


def test_the_page_knows_who_agreed_and_whose_answer_was_taken(folder):
    run = read_run(str(folder))
    index = json.loads(gzip.decompress(base64.b64decode(pack([run], 1_000).index)))
    number = run.everything.index(cell_of(run, "vote"))
    votes = [vote for vote, cell in zip(index["vote"], index["cell"], strict=True) if cell == number]
    others = [vote for vote, cell in zip(index["vote"], index["cell"], strict=True) if cell != number]
    assert sorted(vote[:2] for vote in votes) == [[1, 3]] * 10 + [[2, 3]] * 20
    assert sum(vote[2] for vote in votes) == 10
    assert set(others) == {None}


def test_a_vote_stands_beside_no_row_of_the_paper(folder):
    tables = {table.name: table for table in all_tables([read_run(str(folder))])}
    assert "vote" not in [row.header for row in tables["paper"].rows]


def test_the_judge_s_agreement_with_exact_match_has_a_table(tmp_path):
    folder = write_run(tmp_path / "run", SHAPE)
    verdicts = [("Richard Nixon", True), ("Nixon", True), ("Gerald Ford", False), ("richard nixon", False)]
    items = list(cell_trajectories(SHAPE, "judged", 1.0, 1))
    rows = [
        dataclasses.replace(
            item,
            kind=Kind.FACTUAL,
            gold_answers=("Richard Nixon",),
            answer=answer,
            grade=Grade(float(verdict), verdict, "judge-1:m"),
        )
        for item, (answer, verdict) in zip(items, verdicts, strict=False)
    ]
    rows.append(dataclasses.replace(items[9], kind=Kind.FACTUAL, grade=None, error="judge: EngineError: down"))
    storage.write_table(str(folder / "scores" / "judged" / "part.parquet"), trajectories_to_table(rows))
    run = read_run(str(folder))
    counts = cell_of(run, "judged").summary.judge
    assert (counts.judged, counts.only_judge, counts.only_exact_match, counts.agreement) == (4, 1, 1, 0.5)
    [row] = {table.name: table for table in all_tables([run])}["judged"].rows
    assert [entry.main for entry in row.entries] == ["4", "50.0%", "1", "1", "1"]


def test_no_judge_means_no_table_of_it(folder):
    assert "judged" not in [table.name for table in all_tables([read_run(str(folder))])]


def config_with(folder, cells):
    path = folder / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["evaluate"]["cells"] = cells
    path.write_text(yaml.safe_dump(content))


def acting(n, **changes):
    return {"prompt": "student", "max_steps": 5, "sag": {"n": n, "temperature": 0.4}, **changes}


def test_a_line_over_n_joins_cells_that_differ_in_n_alone(tmp_path):
    shape = dataclasses.replace(SHAPE, cells=(("one", 0.3, 1), ("four", 0.5, 4), ("eight", 0.7, 8), ("other", 0.9, 8)))
    folder = write_run(tmp_path / "run", shape)
    config_with(
        folder,
        [
            {"name": "one", "trained": True, "agent": acting(1)},
            {"name": "four", "trained": True, "agent": acting(4)},
            {"name": "eight", "trained": True, "agent": acting(8)},
            {"name": "other", "trained": True, "agent": acting(8, max_steps=2)},
        ],
    )
    [(name, points)] = sag_series(read_run(str(folder)).cells).items()
    assert name == "made-up, trained"
    assert [n for n, _ in points] == [1, 4, 8]


def test_another_temperature_is_another_line_from_the_same_beginning(tmp_path):
    shape = dataclasses.replace(SHAPE, cells=(("one", 0.3, 1), ("warm", 0.5, 4), ("hot", 0.7, 4)))
    folder = write_run(tmp_path / "run", shape)
    hot = acting(4)
    hot["sag"] = {"n": 4, "temperature": 1.0}
    cells = [("one", acting(1)), ("warm", acting(4)), ("hot", hot)]
    config_with(folder, [{"name": name, "trained": True, "agent": agent} for name, agent in cells])
    found = sag_series(read_run(str(folder)).cells)
    assert {name: [n for n, _ in points] for name, points in found.items()} == {
        "made-up, trained": [1, 4],
        "made-up, trained (hot)": [1, 4],
    }

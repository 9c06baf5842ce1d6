"""The tables, and how they are written as Markdown and LaTeX."""

import pytest
from report_runs import Shape, write_run

from agentdistill.report.export import latex, to_latex, to_markdown
from agentdistill.report.folder import read_run
from agentdistill.report.paper import paper
from agentdistill.report.tables import (
    Entry,
    Row,
    Table,
    all_tables,
    behaviour,
    beside_paper,
    paired_differences,
    results,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(str(write_run(tmp_path_factory.mktemp("tables") / "run", Shape(questions=30, teacher=6))))


def entry(table, header, column):
    row = next(row for row in table.rows if row.header == header)
    place = [head for head, _ in table.columns].index(column)
    return row.entries[place]


def test_results_stand_in_the_papers_layout_with_intervals(run):
    table = results(run.cells)
    assert [head for head, _ in table.columns] == ["HotpotQA", "MATH500", "Average"]
    estimate = run.cells[1].summary.by_task["math500"]
    found = entry(table, "after", "MATH500")
    assert found.main == f"{100 * estimate.value:.1f}"
    assert found.sub == f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def test_the_best_of_each_column_is_marked(run):
    table = results(run.cells)
    values = [float(row.entries[0].main) for row in table.rows]
    marks = [row.entries[0].mark for row in table.rows]
    assert [mark == "best" for mark in marks] == [value == max(values) for value in values]


def test_differences_are_against_the_first_cell_with_a_paired_test(run):
    table = paired_differences(run.cells)
    assert [row.header for row in table.rows] == ["after − before", "after-sag − before"]
    found = entry(table, "after − before", "Average")
    assert found.main.startswith("+")
    assert "p < 0.001" in found.sub
    assert found.mark == "better"


def test_a_cell_on_other_questions_is_not_compared_and_the_reason_stands_below(tmp_path):
    shape = Shape(questions=4, teacher=2, tasks=("world",))
    folder = write_run(tmp_path / "run", shape)
    partial = write_run(tmp_path / "other", Shape(questions=3, teacher=2, tasks=("world",)))
    next(folder.glob("scores/after/*.parquet")).write_bytes(next(partial.glob("scores/after/*.parquet")).read_bytes())
    table = paired_differences(read_run(str(folder)).cells)
    assert entry(table, "after − before", "world").main == "not compared"
    assert any("different questions" in note for note in table.notes)


def test_behaviour_names_what_was_not_counted(run):
    table = behaviour(run.everything)
    assert [row.header for row in table.rows] == ["before", "after", "after-sag", "teacher"]
    assert entry(table, "teacher", "Episodes").main == "6"
    assert entry(table, "before", "Not counted") == Entry("0", "0")


def test_each_cell_stands_above_the_nearest_row_of_the_paper(run):
    rows = [row.header for row in beside_paper(run.cells).rows]
    assert rows == [
        *("before", "1.5B agent prompt", "difference"),
        *("after", "0.5B agent distill", "difference"),
        *("after-sag", "0.5B agent distill + FTP + SAG", "difference"),
    ]


def test_no_task_of_the_paper_means_no_table_beside_it(tmp_path):
    run = read_run(str(write_run(tmp_path / "run", Shape(questions=3, teacher=2, tasks=("world",)))))
    assert "paper" not in [table.name for table in all_tables([run])]


def test_the_papers_averages_are_those_of_its_rows():
    for row in paper().rows:
        assert sum(row.accuracy.values()) / len(row.accuracy) == pytest.approx(row.average, abs=1.1e-4)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [("2WikiMultiHopQA", "2wiki"), ("gsm-hard", "gsm_hard"), ("MATH500", "math500"), ("AIME", "aime")],
)
def test_the_papers_tasks_are_found_in_other_spellings(spelled, name):
    assert paper().task(spelled).name == name


def test_a_task_that_is_not_in_the_paper_is_not_found():
    assert paper().task("world") is None


TABLE = Table(
    "odd", "50% & more", "Model", (("A_1", "n=2"),), (Row("a|b_<c>", "x", (Entry("1.0", "<2", "best"),)),), ("#1",)
)


def test_markdown_shows_special_characters_as_they_are():
    text = to_markdown("t", [TABLE])
    assert "| a\\|b\\_\\<c\\> (x) | **1.0** (\\<2) |" in text


def test_latex_shows_special_characters_as_they_are():
    text = to_latex([TABLE])
    assert r"a|b\_\textless{}c\textgreater{} {\scriptsize x} & \textbf{1.0} {\scriptsize (\textless{}2)} \\" in text
    assert r"\caption{50\% \& more. \#1}" in text


def test_latex_writes_out_a_backslash_once():
    assert latex(r"\{a}^~$") == r"\textbackslash{}\{a\}\textasciicircum{}\textasciitilde{}\$"


def test_the_latex_of_a_whole_report_is_balanced(run):
    text = to_latex(all_tables([run]))
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 4
    assert text.count("{") == text.count("}")

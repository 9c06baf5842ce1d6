"""The page as a file: complete in itself, harmless, and the same again."""

import base64
import gzip
import json
import re
from dataclasses import replace

import pytest
from report_runs import HOSTILE, Shape, cell_trajectories, hostile, write_run

from agentdistill import storage
from agentdistill.config.report import ReportConfig
from agentdistill.errors import DataError
from agentdistill.report import build_report
from agentdistill.report.folder import read_run
from agentdistill.report.pack import FIELD_CHARS, pack
from agentdistill.schema import trajectories_to_table

SMALL = Shape(questions=3, teacher=5)


def unpack(encoded):
    return gzip.decompress(base64.b64decode(encoded)).decode()


def embedded(page):
    """The index and every trajectory's texts, from the page's own elements."""
    found = dict(re.findall(r'<script type="application/octet-stream" id="packed-([\w-]+)">([^<]*)</script>', page))
    chunks = [unpack(found[f"chunk-{n}"]) for n in range(sum(name.startswith("chunk-") for name in found))]
    return json.loads(unpack(found["index"])), _texts(chunks)


def packed(folder, limit=1_000):
    """The same without a page around it."""
    found = pack([read_run(str(folder))], limit)
    return json.loads(unpack(found.index)), _texts(map(unpack, found.chunks))


def _texts(chunks):
    return [json.loads(line) for chunk in chunks for line in chunk.split("\n")[:-1]]


def write_scores(folder, cell, trajectories):
    storage.write_table(str(folder / "scores" / cell / "part.parquet"), trajectories_to_table(trajectories))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("page") / "run", SMALL)
    write_scores(folder, "hostile", [hostile(item) for item in cell_trajectories(SMALL, "hostile", 0.5, 3)])
    paths = build_report([str(folder)])
    return paths, storage.read_bytes(paths.page).decode()


def test_everything_promised_is_written(built):
    paths, _ = built
    assert all(storage.exists(path) for path in (paths.page, paths.markdown, paths.latex, *paths.plots))
    names = {path.rsplit("/", 1)[-1] for path in paths.plots}
    assert {
        "training_loss.svg",
        "training_loss.png",
        "accuracy_by_task.svg",
        "sag.svg",
        "selection_funnel.png",
    } <= names


def test_the_page_asks_nothing_of_a_network(built):
    _, page = built
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?://|//cdn|<link[^>]+stylesheet|<script[^>]+src=|@import|url\((?!#)", outside)
    assert "default-src 'none'" in page


def test_markup_in_model_text_never_reaches_the_html(built):
    _, page = built
    assert HOSTILE not in page
    assert "<img src=x" not in page
    assert any(HOSTILE in (row[0] or "") for row in embedded(page)[1])


def test_every_trajectory_is_in_the_page_once(built):
    _, page = built
    index, texts = embedded(page)
    assert len(index["cell"]) == len(texts) == 5 + 4 * 6
    assert [cell["label"] for cell in index["cells"]] == ["before", "after", "after-sag", "hostile", "teacher"]


def test_candidates_and_their_vote_are_in_the_page(built):
    _, page = built
    index, texts = embedded(page)
    candidates = texts[index["candidates"].index(4)][3][0][5]
    assert len(candidates) == 4
    assert candidates[1][3].startswith("ZeroDivisionError")


def test_a_scripted_teacher_is_named_as_such(built):
    assert "is a scripted expert, not a language model" in built[1]


def test_a_real_teacher_is_not_called_scripted(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("engine: scripted", "engine: vllm"))
    assert "scripted expert, not" not in storage.read_bytes(build_report([str(folder)]).page).decode()


def test_missing_and_broken_parts_are_listed(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    (folder / "select.json").write_text("{")
    (folder / "metrics.jsonl").unlink()
    paths = build_report([str(folder)])
    page = storage.read_bytes(paths.page).decode()
    assert {(note.part, note.state) for note in paths.notes} >= {
        ("select.json", "broken"),
        ("metrics.jsonl", "missing"),
    }
    assert f"{folder}/select.json: not valid JSON" in page
    assert "Not drawn: metrics.jsonl holds no loss." in page


def test_a_run_that_has_only_its_config_still_has_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("name: only")
    page = storage.read_bytes(build_report([str(tmp_path)]).page).decode()
    assert "No evaluation was graded yet." in page
    assert "The run has no trajectory yet." in page


def test_the_same_run_gives_the_same_page_again(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    first, second = (build_report([str(folder)], str(tmp_path / out)) for out in ("a", "b"))
    assert storage.read_bytes(first.page) == storage.read_bytes(second.page)
    assert [storage.read_bytes(p) for p in first.plots] == [storage.read_bytes(p) for p in second.plots]


def test_a_limit_keeps_the_same_questions_of_each_cell(tmp_path):
    index, texts = packed(write_run(tmp_path / "run", Shape(questions=10, teacher=0)), limit=12)
    by_cell = [{q for c, q in zip(index["cell"], index["question"], strict=True) if c == cell} for cell in range(3)]
    assert by_cell[0] == by_cell[1] == by_cell[2]
    assert len(index["cell"]) == len(texts) == 12


def test_no_trajectories_in_the_page_leaves_tables_and_plots(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    page = storage.read_bytes(build_report([str(folder)], config=ReportConfig(max_trajectories=0)).page).decode()
    assert 'id="table-results"' in page
    assert "0 of 23 are in this page" in page


def test_a_text_of_a_megabyte_is_cut_and_the_cut_is_said(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    item = next(cell_trajectories(SMALL, "long", 1.0, 1))
    step = replace(item.steps[0], observation="x" * 1_000_000)
    write_scores(folder, "long", [replace(item, steps=(step,), answer="9" * 1_000_000)])
    row = next(row for row in packed(folder)[1] if row[0] and row[0].startswith("999"))
    assert row[3][0][2].endswith("980,000 more characters stand in the Parquet file]")
    assert len(row[0]) < 2 * FIELD_CHARS


def test_an_episode_without_steps_is_shown(tmp_path):
    folder = write_run(tmp_path / "run", SMALL)
    item = next(cell_trajectories(SMALL, "empty", 1.0, 1))
    write_scores(folder, "empty", [replace(item, steps=(), answer=None, gold_answers=())])
    assert [None, "", "", []] in packed(folder)[1]


def test_two_runs_stand_in_one_page(tmp_path):
    folders = [str(write_run(tmp_path / name, SMALL, name=name)) for name in ("one", "two")]
    paths = build_report(folders, str(tmp_path / "both"))
    page = storage.read_bytes(paths.page).decode()
    assert paths.page == f"{tmp_path}/both/report.html"
    assert "two / after − one / before" in page


def test_two_runs_on_different_questions_write_nothing(tmp_path):
    folders = [str(write_run(tmp_path / str(n), Shape(questions=n, teacher=2), name=str(n))) for n in (3, 4)]
    with pytest.raises(DataError, match="different questions"):
        build_report(folders, str(tmp_path / "both"))
    assert not (tmp_path / "both").exists()


def test_no_run_folder_is_refused():
    with pytest.raises(DataError, match="expected at least one"):
        build_report([])

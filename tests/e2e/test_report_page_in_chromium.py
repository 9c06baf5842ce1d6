"""The page in headless Chromium: it opens without a complaint, its browser works, and model text stays text.

Skipped where there is no Chromium or no Playwright package. Screenshots are kept in build/report/.
"""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from parts import needs
from report_browser import browser, chromium, open_page
from report_runs import HOSTILE, Shape, cell_trajectories, hostile, write_run

from agentdistill import storage
from agentdistill.report import build_report
from agentdistill.schema import trajectories_to_table
from agentdistill.train.data.sequences import SCHEMA

pytestmark = [
    pytest.mark.slow,
    needs("chromium", chromium() is not None, "no Chromium, or no Playwright package, on this machine"),
]

SHAPE = Shape(questions=40, teacher=60)
TOTAL = 60 + 3 * 2 * 40 + 4 + 6  # the teacher's, three cells on two tasks, the hostile ones, those that vote
READY = "#trajectories[data-searchable]"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "report"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("chromium") / "run", SHAPE)
    nasty = [hostile(item) for item in cell_trajectories(Shape(questions=2), "hostile", 1.0, 3)]
    storage.write_table(str(folder / "scores" / "hostile" / "part.parquet"), trajectories_to_table(nasty))
    storage.write_table(str(folder / "scores" / "vote" / "part.parquet"), trajectories_to_table(_voting()))
    _add_tokens(folder)
    return Path(build_report([str(folder)]).page)


def _voting():
    """Three episodes on each of two questions; two of three agree."""
    shape = Shape(questions=2, tasks=("hotpotqa",))
    return [
        replace(item, mode="vote_agent", sample_index=sample, seed=sample, answer="7" if sample else "8")
        for sample in range(3)
        for item in cell_trajectories(shape, "vote", 1.0, 1)
    ]


def _add_tokens(folder):
    """A student with a tokenizer of single bytes, and every training example rendered with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: n for n, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    (folder / "adapter").mkdir()
    tokenizer.save(str(folder / "adapter" / "tokenizer.json"))
    ids = tokenizer.encode("user: ?\nThought: é").ids
    weights = [0.0] * 8 + [1.0] * (len(ids) - 8)
    table = storage.read_folder(str(folder / "training_set"), _examples_schema())
    rows = [
        {"example_id": name, "part": 0, "token_ids": ids, "weights": weights, "held_out": False}
        for name in table.column("example_id").to_pylist()
    ]
    storage.write_table(str(folder / "sequences" / "x.parquet"), pa.Table.from_pylist(rows, schema=SCHEMA))


def _examples_schema():
    from agentdistill.schema import TRAINING_EXAMPLES

    return TRAINING_EXAMPLES


@pytest.fixture(scope="module")
def running():
    with browser() as running:
        yield running


@pytest.fixture
def opened(running, page_path):
    with open_page(running, page_path, wait_for=READY) as opened:
        yield opened
        assert opened.complaints == []
        assert opened.requests == []


def count(page):
    return int(page.locator("#count").inner_text().split()[0].replace(",", ""))


def selected(page, place):
    """The places in the list of the rows that are shown as picked, once the row of that place is."""
    page.locator(f'.row[aria-posinset="{place}"][aria-selected="true"]').wait_for()
    return [row.get_attribute("aria-posinset") for row in page.locator('.row[aria-selected="true"]').all()]


def choose(page, name, label):
    page.locator(f'[data-filter="{name}"]').select_option(label=label)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 1360), ("light", 420)])
def test_it_opens_without_a_complaint_and_a_screenshot_is_kept(running, page_path, scheme, width):
    with open_page(running, page_path, wait_for=READY, scheme=scheme, width=width) as opened:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=SCREENSHOTS / f"page-{scheme}-{width}.png", full_page=True)
        opened.page.locator("#trajectories").scroll_into_view_if_needed()
        opened.page.screenshot(path=SCREENSHOTS / f"trajectories-{scheme}-{width}.png")
        wide = opened.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert (opened.complaints, opened.requests, wide) == ([], [], False)


def test_filters_narrow_the_list_and_reset_brings_it_back(opened):
    page = opened.page
    total = count(page)
    assert total == TOTAL
    choose(page, "cell", "after")
    assert count(page) == 80
    choose(page, "task", "hotpotqa")
    assert count(page) == 40
    choose(page, "correct", "correct")
    right = count(page)
    choose(page, "correct", "wrong")
    assert right + count(page) == 40
    choose(page, "reason", "max steps")
    assert 0 < count(page) < 40
    page.locator("#reset").click()
    assert count(page) == total


def test_only_a_windowful_of_rows_exists(opened):
    assert opened.page.locator(".row").count() < 40


@pytest.mark.parametrize(
    ("text", "where"),
    [("'unknown_name' is not", "an error"), ("Doc 3 (Title", "an observation"), ("founded?", "a question")],
)
def test_text_is_found(opened, text, where):
    page = opened.page
    total = count(page)
    page.locator("#text").fill(text)
    page.locator("#count", has_text=" of ").or_(page.locator("#empty:visible")).first.wait_for()
    assert 0 < count(page) <= total, where
    page.locator("#text").fill("nowhere in the texts")
    page.locator("#empty:visible").wait_for()


def test_code_is_searched_as_it_is_written(opened):
    page = opened.page
    choose(page, "cell", "before")
    page.locator("#text").fill('search("nothing of the kind')
    page.locator("#empty:visible").wait_for()
    page.locator("#text").fill('hits = search("YEAR in')
    page.locator(".row").first.wait_for()
    assert count(page) == 80


def test_keys_move_through_the_list(opened):
    page = opened.page
    first = page.locator("#detail .question").inner_text()
    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    assert selected(page, 2) == ["2"]
    page.locator("#detail .question", has_not_text=first).wait_for()
    page.keyboard.press("End")
    assert selected(page, TOTAL) == [str(TOTAL)]
    page.keyboard.press("Home")
    assert selected(page, 1) == ["1"]
    page.locator("#detail .question", has_text=first).wait_for()
    assert page.locator("#detail .question").inner_text() == first


def test_another_cell_on_the_same_question_stands_beside(opened):
    page = opened.page
    choose(page, "cell", "after")
    page.locator(".trajectory strong", has_text="before").wait_for()
    assert page.locator(".trajectory strong").all_inner_texts() == ["after", "before"]
    page.locator("#beside").select_option(value="")
    page.locator(".columns.two").wait_for(state="detached")
    assert page.locator(".trajectory").count() == 1


def test_the_vote_over_candidates_is_shown(opened):
    page = opened.page
    choose(page, "cell", "after-sag")
    page.locator(".vote summary", has_text="4 candidates").first.click()
    assert page.locator(".group.taken meter").first.get_attribute("value") in ("1", "2", "3")
    assert "ZeroDivisionError" in page.locator(".group.failed .candidate").first.inner_text()


def test_episodes_that_vote_say_how_many_agree_and_which_was_taken(opened):
    page = opened.page
    choose(page, "cell", "vote")
    assert count(page) == 6
    facts = page.locator(".row-facts").all_inner_texts()
    assert sum("1 of 3 gave this answer" in text for text in facts) == 2
    assert sum("2 of 3 gave this answer" in text for text in facts) == 4
    choose(page, "special", "an answer taken by vote")
    assert count(page) == 2
    page.locator(".trajectory .facts", has_text="2 of 3 gave this answer, taken by vote").first.wait_for()
    assert "taken by vote" in page.locator(".trajectory .facts").first.inner_text()


def test_what_was_trained_on_is_tinted_down_to_tokens(opened):
    page = opened.page
    choose(page, "special", "training examples")
    page.locator(".trained-note").wait_for()
    assert page.locator("pre.code.trained").count() > 0
    page.locator(".token-view summary").click()
    trained = page.locator(".tokens .token.on")
    assert "".join(trained.all_text_contents()) == "Thought: é"


def test_markup_from_models_is_shown_as_text(opened):
    page = opened.page
    title = page.title()
    choose(page, "cell", "hostile")
    page.locator(".vote summary").first.wait_for()
    for summary in page.locator("#detail summary").all():
        summary.click()
    assert page.locator("#detail .question").inner_text() == HOSTILE
    assert HOSTILE in page.locator(".observation pre").first.inner_text()
    assert page.locator("#detail img, #detail script, #list img").count() == 0
    assert page.title() == title


def test_a_trajectory_has_an_address_of_its_own(running, page_path):
    with open_page(running, page_path, wait_for=READY, fragment="#t100") as opened:
        assert opened.page.locator('.row[aria-selected="true"]').get_attribute("id") == "row-100"


def test_the_scheme_can_be_changed(opened):
    page = opened.page
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(color)
    page.locator("#scheme").click()
    assert page.evaluate(color) != light


def test_ids_are_unique_and_controls_have_names(opened):
    page = opened.page
    doubled = page.evaluate(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
        " return ids.filter((id, n) => ids.indexOf(id) !== n); })()"
    )
    nameless = page.evaluate(
        "[...document.querySelectorAll('select, input, button, svg')].filter((e) =>"
        " !e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label')).length"
    )
    assert (doubled, nameless) == ([], 0)

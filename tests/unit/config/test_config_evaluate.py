"""A grid that cannot be run is refused when the config is read, with the key and what was expected."""

import pytest

from agentdistill.config import load
from agentdistill.errors import ConfigError

CELLS = "evaluate.cells"


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        (f"{CELLS}=[{{name: a}}, {{name: a}}]", ["evaluate.cells", "a", "each name once"]),
        (f"{CELLS}=[]", ["evaluate.cells", "at least one cell"]),
        (f"{CELLS}=[{{name: a/b}}]", ["evaluate.cells[0].name", "a/b", "names a folder"]),
        (f"{CELLS}=[{{name: ..}}]", ["evaluate.cells[0].name", "names a folder"]),
        (f"{CELLS}=[{{name: a, mode: debate}}]", ["evaluate.cells[0].mode", "debate", "agent, cot, cot_rag, vote"]),
        (f"{CELLS}=[{{name: a, vote: {{n: 4}}}}]", ["evaluate.cells[0].vote", "null with mode=agent"]),
        (f"{CELLS}=[{{name: a, mode: vote, vote: {{n: 1}}}}]", ["evaluate.cells[0].vote.n", "1", "at least 2"]),
        (
            f"{CELLS}=[{{name: a, mode: vote, vote: {{temperature: 0}}}}]",
            ["evaluate.cells[0].vote.temperature", "more than 0"],
        ),
        (
            f"{CELLS}=[{{name: a}}, {{name: b, mode: vote, vote: {{budget_of: c}}}}]",
            ["evaluate.cells[1].vote.budget_of", "c", "a cell that is no vote (a)"],
        ),
        (
            f"{CELLS}=[{{name: b, mode: vote, vote: {{budget_of: b}}}}]",
            ["evaluate.cells[0].vote.budget_of", "there is none"],
        ),
        (
            f"{CELLS}=[{{name: a, mode: vote, vote: {{mode: cot}}, agent: {{sag: {{n: 4}}}}}}]",
            ["evaluate.cells[0].agent.sag.n", "1 with mode=cot"],
        ),
        ("evaluate.seeds=[]", ["evaluate.seeds", "at least one seed"]),
        ("evaluate.seeds=[1, 1]", ["evaluate.seeds", "each once"]),
        ("grading.judge={engine: {engine: openai}}", ["grading.judge.engine.base_url", "OpenAI-compatible"]),
        ("grading.judge={attempts: 0}", ["grading.judge.attempts", "at least 1"]),
        ("grading.limit_s=0", ["grading.limit_s", "more than 0"]),
    ],
)
def test_a_grid_that_cannot_run_is_refused(override, parts):
    with pytest.raises(ConfigError) as raised:
        load(None, [override])
    for part in parts:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_judge_is_there_only_where_the_config_has_one():
    assert load(None, []).grading.judge is None
    assert load(None, ["grading.judge={engine: {model: m}}"]).grading.judge.engine.model == "m"


def test_what_one_episode_is_follows_from_mode_and_vote():
    cells = load(
        None,
        [f"{CELLS}=[{{name: a}}, {{name: b, mode: vote}}, {{name: c, mode: vote, vote: {{mode: cot}}}}]"],
    ).evaluate.cells
    assert [cell.episode_mode for cell in cells] == ["agent", "agent", "cot"]

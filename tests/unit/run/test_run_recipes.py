"""Recipes by their names, with settings of their own; what is wrong with one is a sentence."""

import json
from pathlib import Path

import pytest

from agentdistill.cli import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["recipe", "plan", *arguments])
    return capsys.readouterr().out


def test_the_papers_recipe_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    main(["recipe", "list"])
    assert "paper        The teacher acts, what is fit" in capsys.readouterr().out


def test_the_plan_is_that_of_the_recipe_with_its_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = planned(capsys, f"folder={tmp_path}/run", "recipe=own_recipes:rounds", "recipe_settings.rounds=3")
    assert [f"train-round{number}" in plan for number in range(4)] == [True, True, True, False]
    assert "evaluate" not in plan
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["recipe=papr"],
            "recipe 'papr': there is none of that name; expected a known recipe (paper), the entry point",
        ),
        (["recipe=own_recipes:nowhere"], "recipe 'own_recipes:nowhere': own_recipes:nowhere cannot be imported"),
        (
            ["recipe=own_recipes:NOT_A_RECIPE"],
            "recipe 'own_recipes:NOT_A_RECIPE': a int lacks __call__, expected a func",
        ),
        (
            ["recipe=own_recipes:untyped"],
            "recipe 'own_recipes:untyped': takes (run, settings), expected a function (run",
        ),
        (
            ["recipe=own_recipes:rounds", "recipe_settings.round=3"],
            "recipe_settings: unknown key round, expected one of rounds, samples; did you mean rounds?",
        ),
        (["recipe=own_recipes:rounds", "recipe_settings.rounds=many"], "recipe_settings.rounds: Value 'many' of type"),
        (["recipe=own_recipes:rounds", "recipe_settings.rounds=0"], "recipe_settings.rounds is 0, expected at least 1"),
        (["recipe_settings.rounds=3"], "recipe_settings: rounds: recipe 'paper' has no settings, expected none"),
        (["recipe=own_recipes:asynchronous"], "recipe 'own_recipes:asynchronous': is async, which does nothing by its"),
        (["recipe=own_recipes:generating"], "recipe 'own_recipes:generating': is a generator, which does nothing by i"),
        (["recipe=own_recipes:keyword_only"], "recipe 'own_recipes:keyword_only': takes (run: 'Run', *, settings: 'R"),
        (["recipe=builtins:dict"], "recipe 'builtins:dict': does not tell its parameters, expected a function (run)"),
        (
            ["recipe=own_recipes:checked_settings"],
            "recipe 'own_recipes:checked_settings': its settings are NotThereAtRunTime, which its module does not have",
        ),
        (
            ["recipe=own_recipes:unfillable"],
            "recipe_settings: the settings Unfillable cannot be filled from a config: Unexpected type anno",
        ),
        (["recipe=own_recipes:twice"], "phase 'train' is named twice; give one of them name=..."),
    ],
)
def test_a_recipe_that_cannot_be_run_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, overrides: list[str], message: str
) -> None:
    assert f"agentdistill: {message}" in refused(capsys, "distill", f"folder={tmp_path}/run", *overrides)
    assert list(tmp_path.iterdir()) == []


def test_what_a_type_checker_alone_imports_is_no_hindrance(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = planned(capsys, f"folder={tmp_path}/run", "recipe=own_recipes:checked_run", "recipe_settings.rounds=1")
    assert "questions-part0" in plan


def test_the_recipe_and_its_settings_bind_the_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = [f"folder={tmp_path}/run", "questions.train=[{task: world, limit: 2}]"]
    main(["distill", "--verbose", "recipe=own_recipes:only_questions", *arguments])
    assert json.loads((tmp_path / "run" / "state" / "recipe.json").read_text())["settings"] == {
        "recipe": "own_recipes:only_questions",
        "recipe_settings": {},
    }
    other = refused(capsys, "distill", *arguments)
    assert (
        "its phase 'recipe' was made by another config (recipe: own_recipes:only_questions there, paper here" in other
    )
    assert f"Questions: {tmp_path}/run/questions" in refused_nothing(capsys, *arguments)


def refused_nothing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["recipe", "run", "--verbose", "recipe=own_recipes:only_questions", *arguments])
    shown = capsys.readouterr().out
    assert "Questions: done before" in shown
    return shown.replace("\n", "")


def test_a_rollout_that_leaves_nothing_to_learn_from_says_so_with_its_trajectories_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from trajectories import make_trajectory

    from agentdistill import storage
    from agentdistill.config import load
    from agentdistill.run import Run
    from agentdistill.run.record import records
    from agentdistill.run.record.state import State
    from agentdistill.schema import trajectories_to_table
    from agentdistill.types import Grade

    arguments = [f"folder={tmp_path}/run", "retriever.index.kind=bm25", "retriever.corpus=" + corpus(tmp_path)]
    run = Run(load(None, arguments), planning=True)
    taught = run.rollout()
    rows = [make_trajectory(grade=Grade(0.0, False, "math-1"))]
    storage.write_table(f"{taught.path}/trajectories-0.parquet", trajectories_to_table(rows))
    summary = {"total": 1, "finished": 1, "failed": 0}
    records.finish(State(run.folder.state), run.calls[0], summary)
    said = refused(capsys, "rollout", "--verbose", *arguments)
    assert "no trajectory of 1 is fit for training (wrong answer: 1)" in said
    assert Path(f"{taught.path}/trajectories-0.parquet").exists()
    assert json.loads((tmp_path / "run" / "state" / "rollout.json").read_text())["summary"] == summary


def corpus(folder: Path) -> str:
    (folder / "passages.jsonl").write_text(json.dumps({"id": "1", "title": "One", "text": "One is a number."}) + "\n")
    return str(folder / "passages.jsonl")

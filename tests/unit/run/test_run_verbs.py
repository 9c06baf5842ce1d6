"""The verbs: what they take, what they refuse, a phase of one's own among them, and the plan that they make."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from run_parts import Worked, config_for

from agentdistill.config import ActorConfig, AgentConfig
from agentdistill.errors import ConfigError, RunFolderError
from agentdistill.recipes.paper import distill
from agentdistill.run import FunctionPhase, Questions, Run, Trajectories
from agentdistill.run.record.state import State


def test_a_handle_of_a_phase_that_is_not_done_says_so(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path), planning=True)
    taught = run.rollout()
    assert (taught.name, taught.path, taught.summary) == ("rollout", f"{tmp_path}/trajectories", {})
    with pytest.raises(
        RunFolderError, match=rf"{tmp_path}: its phase 'rollout' is not done, and what comes next needs"
    ):
        taught.require()


def test_a_verb_on_what_is_not_done_is_refused_before_it_begins(tmp_path: Path) -> None:
    worked = Worked()
    with pytest.raises(RunFolderError, match="its phase 'select' is not done"):
        worked.run(config_for(tmp_path)).train()
    assert worked.names == []
    assert not (tmp_path / "state" / "train.json").exists()


def test_trajectories_that_were_brought_here_need_no_record(tmp_path: Path) -> None:
    worked = Worked()
    (tmp_path / "trajectories").mkdir()
    (tmp_path / "trajectories" / "part-0.parquet").write_bytes(b"")
    worked.run(config_for(tmp_path)).select()
    assert worked.names == ["select"]


def test_a_name_twice_with_the_same_is_done_once_and_with_other_settings_refused(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path), planning=True)
    examples = run.select()
    assert run.train(examples) == run.train(examples)
    assert [call.name for call in run.calls] == ["select", "train"]
    with pytest.raises(ConfigError, match=r"^phase 'train' is named twice; give one of them name=\.\.\.$"):
        run.train(examples, epochs=1)
    with pytest.raises(ConfigError, match="phase 'train' is named twice"):
        run.train(run.select(name="other"))
    assert run.train(examples, name="short", epochs=1).name == "train-short"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 1}, "run.train: unknown setting epoch, expected one of model, revision"),
        ({"epochs": 0}, "run.train: train.epochs is 0, expected more than 0"),
        ({"name": "a/b"}, "name='a/b': expected letters, digits"),
    ],
)
def test_a_verbs_own_settings_are_checked(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        Run(config_for(tmp_path), planning=True).train(**settings)


def test_another_teacher_is_given_as_a_whole(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path), planning=True)
    run.rollout(name="b", teacher=ActorConfig(agent=AgentConfig(max_steps=2)), samples=3)
    (call,) = run.calls
    assert (call.config.teacher.agent.max_steps, call.config.rollout.samples) == (2, 3)
    assert call.overrides == ("teacher", "rollout.samples")
    assert run.config.rollout.samples == 1


def test_a_plan_asks_for_what_the_recipe_names_and_touches_nothing(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path / "run"), planning=True)
    distill(run)
    assert [call.phase.ask(call).phase for call in run.calls] == [
        "questions", "index", "rollout", "select", "train", "evaluate", "report",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_of_no_trained_student_needs_none(tmp_path: Path) -> None:
    config = config_for(tmp_path, "evaluate.cells=[{name: before}]")
    worked = Worked()
    run = worked.run(config)
    assert run.student() is None
    run.questions()
    run.index()
    run.evaluate(name="b")
    assert worked.names == ["questions", "index", "evaluate-b"]
    with pytest.raises(ConfigError, match=r"after is the trained student, but .* holds none"):
        worked.run(config_for(tmp_path)).student()


def test_grades_that_come_later_are_a_phase_between_rollout_and_selection(tmp_path: Path) -> None:
    worked = Worked()
    worked.summaries = {"score": {"answers": 2, "judged": 1, "failed": 1, "reasons": {"busy": 1}}}

    def story() -> list[str]:
        worked.names.clear()
        run = worked.run(config_for(tmp_path))
        run.index()
        taught = run.rollout(run.questions().train)
        scored = run.score(taught)
        assert (scored.name, scored.path) == ("score", taught.path)
        run.select(scored)
        return list(worked.names)

    assert story() == ["index", "questions", "rollout", "score", "select"]
    worked.summaries = {}
    assert story() == ["score", "select"]  # one answer had no grade
    assert story() == []


@dataclasses.dataclass
class Keep:
    share: float = 0.5


class Halve:
    """A phase of a test's own."""

    name = "halve"
    makes = Trajectories

    def __init__(self, taught: Trajectories, share: float = 0.5) -> None:
        self.inputs = {"trajectories": taught}
        self.settings = Keep(share)
        self.done = 0

    def do(self, run: Run) -> dict[str, Any]:
        self.done += 1
        return {"kept": 1}


def test_a_phase_of_ones_own_is_recorded_skipped_refused_and_built_on(tmp_path: Path) -> None:
    worked = Worked()

    def story(share: float) -> int:
        run = worked.run(config_for(tmp_path))
        run.index()
        phase = Halve(run.rollout(run.questions().train), share)
        halved = run.do(phase)
        assert isinstance(halved, Trajectories)
        run.select(halved)
        return phase.done

    assert story(0.5) == 1
    assert story(0.5) == 0
    assert worked.names == ["index", "questions", "rollout", "select"]
    with pytest.raises(
        RunFolderError, match=r"its phase 'halve' was made by another config \(settings\.share: 0\.5 th"
    ):
        story(0.7)


def test_a_phase_of_ones_own_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    calls = []

    def work(run: Run) -> dict[str, Any]:
        calls.append(run.folder.path)
        if len(calls) == 1:
            raise RuntimeError("killed")
        return {"count": len(calls)}

    with pytest.raises(ConfigError, match="killed"):
        Run(config_for(tmp_path)).do(FunctionPhase("own", work))
    assert Run(config_for(tmp_path)).do(FunctionPhase("own", work)).summary == {"count": 2}
    assert Run(config_for(tmp_path)).do(FunctionPhase("own", work)).summary == {"count": 2}


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (FunctionPhase("train", dict), "phase 'train': the name of a phase that is there already"),
        (FunctionPhase("a b", dict), "name='a b': expected letters"),
        (FunctionPhase("own", dict, settings={"at": object()}), "phase 'own': its settings cannot be stored as JSON"),
        (FunctionPhase("own", lambda run: 3), r"phase 'own': do\(run\) gave a int, expected a dict"),
        ("nowhere:phase", "phase 'nowhere:phase': nowhere:phase cannot be imported"),
        ("unknown", "phase 'unknown': there is none of that name"),
        (Questions, "lacks do, expected a phase: name, and do"),
    ],
)
def test_what_is_no_phase_is_refused(tmp_path: Path, phase: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Run(config_for(tmp_path)).do(phase)


@pytest.mark.parametrize(
    ("story", "message"),
    [
        (
            lambda run: run.train(run.rollout()),
            "run.train: its examples is rollout, a Trajectories, expected TrainingSet",
        ),
        (
            lambda run: run.select("trajectories"),
            "run.select: its trajectories is 'trajectories', a str, expected Traj",
        ),
        (lambda run: run.rollout(run.questions()), "run.rollout: its questions is all of questions, expected its part"),
        (
            lambda run: run.evaluate(run.questions()),
            "run.evaluate: its questions is all of questions, expected its part",
        ),
        (lambda run: run.questions(name=3), "name=3: expected letters, digits"),
    ],
)
def test_a_verb_that_gets_something_else_than_it_takes_says_so(tmp_path: Path, story: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        story(Run(config_for(tmp_path), planning=True))
    assert message in str(raised.value)


def _failing(run: Run) -> dict[str, Any]:
    return {"kept": {}["nothing"]}


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (FunctionPhase("broken", _failing), "phase 'broken': do(run) raised KeyError: 'nothing'"),
        (FunctionPhase("broken", lambda run: None), "phase 'broken': do(run) gave a NoneType, expected a dict"),  # type: ignore[arg-type,return-value]
        (FunctionPhase("broken", lambda run: {"a": {1}}), "phase 'broken': its summary cannot be stored as JSON"),
        (FunctionPhase("broken", _failing, inputs=["rollout"]), "phase 'broken': inputs is a list, expected a dict"),  # type: ignore[arg-type]
        (FunctionPhase("broken", _failing, inputs={"a": "b"}), "phase 'broken': its input 'a' is a str, expected a h"),  # type: ignore[dict-item]
        (FunctionPhase("broken", _failing, makes=dict), "phase 'broken': makes is <class 'dict'>, expected a class"),  # type: ignore[arg-type]
        (FunctionPhase(3, _failing), "name=3: expected letters"),  # type: ignore[arg-type]
        (FunctionPhase("state", _failing), "phase 'state': the name of a folder that other phases write to"),
        (FunctionPhase("trajectories", _failing), "phase 'trajectories': the name of a folder that other phases"),
        (FunctionPhase("scores-b", _failing), "phase 'scores-b': the name of a folder that other phases write to"),
    ],
)
def test_a_phase_of_ones_own_that_is_none_says_so_and_is_never_done(tmp_path: Path, phase: Any, message: str) -> None:
    run = Worked().run(config_for(tmp_path))
    with pytest.raises(ConfigError) as raised:
        run.do(phase)
    assert message in str(raised.value)
    assert not any(record.is_finished for record in State(run.folder.state).records().values())

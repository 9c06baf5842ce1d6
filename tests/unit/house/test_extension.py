"""One extension of each kind, in a package beside this one, works by its name: no file of this package knows of it.

The package is examples/extension, installed as pip installs it. Every test goes in by the door that a config uses.
"""

import json
import math
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from extension import CONFIG, PACKAGE, SOURCE, command, install
from trajectories import make_step, make_trajectory

from agentdistill import plugins, storage
from agentdistill.agent import EpisodeSettings, run_episode
from agentdistill.config import (
    AgentConfig,
    EngineConfig,
    GradingConfig,
    RetrieverConfig,
    RunConfig,
    SagConfig,
    SelectConfig,
    TaskConfig,
    load,
)
from agentdistill.engines import open_engine
from agentdistill.environments import open_environment
from agentdistill.grading import Grader, graded
from agentdistill.run import Run
from agentdistill.sandbox import Sandbox
from agentdistill.schema import (
    TRAINING_EXAMPLES,
    TRAJECTORIES,
    examples_from_table,
    trajectories_from_table,
    trajectories_to_table,
)
from agentdistill.select import select
from agentdistill.tasks import load_questions
from agentdistill.tools import make_tools, tool_texts
from agentdistill.traces.importing import import_trajectories
from agentdistill.types import CodeSession, Kind, PartKind, StopReason, Trajectory

PAGE = SOURCE.parents[1] / "docs" / "extending.md"
POINTS = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["entry-points"]
NAMES = {group.removeprefix("agentdistill."): names for group, names in POINTS.items()}
GUESS = "It lies between 0 and 99.\nguess: 49"


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the package is installed; this process finds it there."""
    folder = install(tmp_path_factory.mktemp("installed"))
    sys.path.insert(0, str(folder))
    plugins.forget_installed()
    yield folder
    sys.path.remove(str(folder))
    plugins.forget_installed()
    for module in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[module]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return load(str(CONFIG), [f"folder={tmp_path}/run"])


class NoSupplies:
    search = None

    def session(self) -> CodeSession:
        raise AssertionError("nobody runs code")


async def episode(agent: AgentConfig, engine: EngineConfig, kind: str = Kind.MATH) -> Trajectory:
    """The first riddle, answered and graded."""
    question = load_questions(TaskConfig(task="riddles", settings={"kind": kind}))[0]
    settings = EpisodeSettings(run_id="test", agent=agent)
    environment = open_environment(settings, NoSupplies())
    trajectory = await run_episode(question, await open_engine(engine), environment, settings)
    return await graded(trajectory, question, Grader(GradingConfig()), False)


def test_there_is_one_of_every_kind() -> None:
    assert set(NAMES) == set(plugins.DOORS)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names])
def test_every_door_opens_to_its_entry_point(kind: str, name: str) -> None:
    assert name in plugins.names(kind)
    assert plugins.load(kind, name) is plugins.load(kind, NAMES[kind][name])


def test_the_task_asks() -> None:
    train, test = (load_questions(TaskConfig(task="riddles", split=split)) for split in ("train", "test"))
    assert (len(train), len(test)) == (80, 20)
    assert not {question.id for question in train} & {question.id for question in test}


def test_the_tool_is_described_and_called_by_code_in_the_sandbox(namespaced: Sandbox) -> None:
    (text,) = tool_texts(["digits"], False)
    assert (text.call, text.brief[:35]) == ("digits(number, base=10)", "returns the digits of a number that")
    with namespaced.session(tools=make_tools(["digits"], RetrieverConfig(), None)) as session:
        assert session.run("print(digits(42), digits(0), digits(5, base=2))").stdout == "[4, 2] [0] [1, 0, 1]\n"


@pytest.mark.parametrize("candidates", [1, 3])
async def test_the_engine_finds_the_answer_in_the_environment_through_the_protocol(
    config: RunConfig, candidates: int
) -> None:
    agent = config.teacher.agent
    agent.sag = SagConfig(n=candidates)
    trajectory = await episode(agent, config.teacher.engine)
    assert (trajectory.answer, trajectory.stop_reason) == (trajectory.gold_answers[0], StopReason.FINAL_ANSWER)
    assert trajectory.grade is not None
    assert trajectory.grade.correct
    assert trajectory.opening[0].content.startswith("Find a number. In each turn")
    assert trajectory.opening[1].content.startswith("I think of a number between 0 and 99. You may guess 7 times.")
    assert [part.kind for part in trajectory.steps[0].parts] == [PartKind.THOUGHT, PartKind.CALL]
    assert {step.observation for step in trajectory.steps[:-1]} <= {"Too high.", "Too low."}
    assert {len(step.candidates) for step in trajectory.steps} == {candidates if candidates > 1 else 0}


async def test_the_environment_ends_the_episode_after_so_many_guesses_as_its_settings_say(config: RunConfig) -> None:
    config.teacher.agent.environment_settings = {"most": 2}
    trajectory = await episode(config.teacher.agent, config.teacher.engine)
    assert (len(trajectory.steps), trajectory.answer) == (2, None)


async def test_the_expert_writes_for_the_scripted_engine(config: RunConfig) -> None:
    trajectory = await episode(config.teacher.agent, EngineConfig(engine="scripted", expert="bisect"))
    assert trajectory.answer == trajectory.gold_answers[0]


async def test_the_program_runs_the_whole_episode(config: RunConfig) -> None:
    config.teacher.agent.program = "ask_twice"
    trajectory = await episode(config.teacher.agent, config.teacher.engine)
    assert trajectory.stop_reason is StopReason.ANSWERED
    assert [message.content for message in trajectory.messages[1:]] == [GUESS, "Are you sure?", GUESS]
    assert trajectory.answer == "49"


async def test_the_grader_decides_for_questions_of_its_kind() -> None:
    grades = []
    for question in load_questions(TaskConfig(task="riddles", settings={"kind": "parity"}))[:20]:
        for answer in ("7", None):
            trajectory = make_trajectory(kind=question.kind, gold_answers=question.answers, answer=answer, grade=None)
            trajectory = await graded(trajectory, question, Grader(GradingConfig()), False)
            grades.append((trajectory.grade and trajectory.grade.correct, trajectory.error))
            assert grades[-1] == (
                (int(question.answers[0]) % 2 == 1, "") if answer else (None, "grader: parity gave no grade")
            )
    assert {correct for correct, _ in grades} == {True, False, None}


def test_the_rule_drops_and_the_maker_makes(tmp_path: Path) -> None:
    rows = [
        make_trajectory(sample_index=sample, steps=tuple(make_step(f"{sample} {i}", "1") for i in range(count)))
        for sample, count in enumerate((4, 2, 6))
    ]
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table(rows))
    chosen = SelectConfig(rules=["few_guesses"], make="shortest_alone")
    summary = select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), chosen)
    assert (summary.kept, summary.dropped) == (2, {"more than five guesses": 1})
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    assert example.sample_index == 1
    assert example.messages[0].content.startswith("Find a number.")


@pytest.mark.slow  # loads the libraries of training
def test_the_objective_trains(training_set: str, tmp_path: Path) -> None:
    from train_parts import tiny_config
    from train_runs import run_alone

    def losses(name: str, **changes: object) -> list[float]:
        return run_alone(tiny_config(max_steps=2, **changes), training_set, tmp_path / name)

    plain, half = losses("plain"), losses("half", objective="smoothed", objective_settings={"smoothing": 0.5})
    assert losses("none", objective="smoothed", objective_settings={"smoothing": 0}) == pytest.approx(plain, rel=1e-5)
    assert len(half) == 2
    assert all(map(math.isfinite, half))
    assert half[1] != pytest.approx(plain[1], rel=1e-5)


def test_the_format_is_read_with_its_own_protocol(tmp_path: Path) -> None:
    pairs = [["Find it.", f"I know.\n{line}\nmore"] for line in ("guess: 7", "I guess 7")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"pair": pair}) + "\n" for pair in pairs))
    summary = import_trajectories(str(tmp_path / "a.jsonl"), str(tmp_path / "t"), form="pairs", kind=Kind.MATH)
    assert summary.skipped == {"there is no line `guess: N`": 1}
    (trajectory,) = trajectories_from_table(storage.read_folder(str(tmp_path / "t"), TRAJECTORIES))
    assert (trajectory.question, trajectory.answer, trajectory.protocol) == ("Find it.", "7", "one_line")
    assert trajectory.steps[0].text == "I know.\nguess: 7"


def test_the_phase_is_done_once(config: RunConfig, capsys: pytest.CaptureFixture[str]) -> None:
    first = Run(config)
    folder = first.folder.trajectories()
    storage.write_table(f"{folder}/a.parquet", trajectories_to_table([make_trajectory()]))
    assert first.do("count").summary == {"trajectories": 1}
    storage.write_table(f"{folder}/b.parquet", trajectories_to_table([make_trajectory()]))
    assert Run(config).do("count").summary == {"trajectories": 1}
    assert "count: done before (trajectories: 1)" in capsys.readouterr().out


def test_the_recipe_is_listed_and_planned_in_a_fresh_python(site: Path) -> None:
    assert "twice        Two students of one teacher" in command(site, "recipe", "list")
    plan = command(site, "recipe", "plan", "--config", str(CONFIG), "folder=run", "recipe_settings.smoothing=0.2")
    for phase in ("questions", "rollout", "count", "select-all", "train-all", "evaluate-all", "train-short"):
        assert re.search(rf"\b{phase}\b", plan), plan
    assert not (site.parent / "run").exists()


@pytest.mark.parametrize("kind", plugins.DOORS)
def test_the_page_has_a_row_and_a_section_for_every_kind(kind: str) -> None:
    page = PAGE.read_text()
    headings = " ".join(re.findall(r"^## (.+)$", page, re.M)).lower()
    assert f"| `{kind}` | " in page
    assert re.search(rf"\b{kind}s?\b", headings)


def test_what_the_page_shows_stands_so_in_the_example() -> None:
    files = "\n".join(
        path.read_text() for path in sorted(SOURCE.rglob("*")) if path.suffix in (".py", ".toml", ".yaml")
    )
    shown = re.findall(r"^```(?:python|toml|yaml)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert len(shown) > len(plugins.DOORS) // 2
    assert [block for block in shown if block not in files] == []


def test_the_examples_own_page_names_every_file_and_every_name() -> None:
    page = (SOURCE / "README.md").read_text()
    files = [path.name for path in (SOURCE / PACKAGE).glob("[a-z]*.*")]
    assert [name for name in files if f"`{name}`" not in page] == []
    assert [name for names in NAMES.values() for name in names if not re.search(rf"\b{name}\b", page)] == []

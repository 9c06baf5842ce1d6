"""configs/paper/: the paper's recipe, a dry run of each file, and one rollout for four students."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentdistill.cli import main
from agentdistill.config import RunConfig, load
from agentdistill.config.settings import binding
from agentdistill.recipes.paper import distill
from agentdistill.report.paper import paper as published
from agentdistill.run import Run
from agentdistill.run.phases.base import Call
from agentdistill.run.planning.needs import shown
from agentdistill.run.planning.plan import asks, needs
from agentdistill.run.record import records
from agentdistill.run.record.state import State
from agentdistill.run.reuse import check_source

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "configs" / "paper"
FILES = sorted(FOLDER.glob("*.yaml"))
SIZES = ("0.5b", "1.5b", "3b", "7b")
#: Each teacher, and the runs that learn from it.
STUDENTS = {"teacher": "student", "teacher_cot": "cot_distill", "teacher_cot_rag": "cot_rag_distill"}
EVERY_STUDENT = [(teacher, f"{kind}_{size}") for teacher, kind in STUDENTS.items() for size in SIZES]


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shared folder of all tests here; each config is then read once."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTDISTILL_SHARED", str(folder))
        yield folder


@functools.cache
def paper(name: str) -> RunConfig:
    return load(FOLDER / f"{name}.yaml")


def planned(config: RunConfig) -> dict[str, Call]:
    """What the paper's recipe would do, by phase."""
    run = Run(config, planning=True)
    distill(run)
    return {call.name: call for call in run.calls}


def finish_rollout(config: RunConfig) -> None:
    call = planned(config)["rollout"]
    records.finish(State(call.folder.state), call, {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dry_run_prints_every_stage_and_touches_nothing(
    path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = list(shared.rglob("*"))
    main(["distill", "--config", str(path), "--dry-run"])
    printed = capsys.readouterr().out
    assert all(phase in printed for phase in planned(paper(path.stem)))
    assert "derived from the config, nothing is measured" in " ".join(printed.split())
    assert list(shared.rglob("*")) == before


def test_a_dry_run_loads_neither_torch_nor_ray() -> None:
    code = (
        "import sys; from agentdistill.cli import main; "
        f"main(['distill', '--config', {str(FOLDER / 'student_0.5b.yaml')!r}, '--dry-run']); "
        "print(sorted({'torch', 'ray', 'vllm', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("teacher", "student"), EVERY_STUDENT)
def test_every_student_may_reuse_its_teachers_rollout(teacher: str, student: str, shared: Path) -> None:
    config = paper(teacher)
    assert config.rollout.reuse is None
    finish_rollout(config)
    check_source(planned(paper(student))["rollout"])


def test_a_teacher_without_prefix_is_one_override_on_both_sides(shared: Path) -> None:
    plain = ["name=teacher_plain", "teacher.agent.first_thought_prefix=false"]
    config = load(FOLDER / "teacher.yaml", plain)
    finish_rollout(config)
    reuse = f"rollout.reuse={shared}/runs/paper/teacher_plain"
    student = load(FOLDER / "student_1.5b.yaml", ["name=student_1.5b_plain", plain[1], reuse])
    check_source(planned(student)["rollout"])


@pytest.mark.parametrize("size", SIZES)
def test_an_agents_run_is_the_papers_recipe(size: str) -> None:
    config = paper(f"student_{size}")
    teacher, train, lora = config.teacher, config.train, config.train.lora
    assert (teacher.engine.model, teacher.engine.tensor_parallel) == ("Qwen/Qwen2.5-32B-Instruct", 4)
    assert (teacher.mode, teacher.agent.first_thought_prefix, teacher.agent.temperature) == ("agent", True, 0)
    assert (teacher.agent.max_steps, teacher.agent.max_tokens, config.retriever.k) == (5, 1024, 3)
    assert (lora.r, lora.alpha, lora.dropout, lora.target_modules) == (64, 128, 0.05, ["all-linear"])
    assert (train.epochs, train.batch_size, train.learning_rate, train.max_length) == (2, 8, 2e-4, 10_240)
    model = f"Qwen/Qwen2.5-{size.upper()}-Instruct"
    assert train.model == config.evaluate.engine.model == model
    cells = {cell.name: cell for cell in config.evaluate.cells}
    sag = cells["agent_distill_sag"].agent.sag
    assert (sag.n, sag.temperature, sag.top_p) == (8, 0.4, 0.8)
    assert {name: (cell.mode, cell.trained) for name, cell in cells.items()} == {
        "cot_prompt": ("cot", False),
        "agent_prompt": ("agent", False),
        "agent_distill": ("agent", True),
        "agent_distill_sag": ("agent", True),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_run_has_the_same_questions_retriever_and_judge(path: Path) -> None:
    config, base = paper(path.stem), paper("base")
    assert [task.task for task in config.questions.train] == ["hotpotqa_hard", "math_medium", "math_hard"]
    assert len(config.questions.test) == 8
    assert (config.questions, config.retriever, config.grading) == (base.questions, base.retriever, base.grading)
    assert config.retriever.encoder.model == "e5-base-v2"
    assert config.grading.judge is not None


@pytest.mark.parametrize(("mode", "kind"), [("cot", "cot_distill"), ("cot_rag", "cot_rag_distill")])
def test_a_baseline_is_taught_and_evaluated_in_one_mode(mode: str, kind: str) -> None:
    config = paper(f"{kind}_1.5b")
    assert config.teacher.mode == mode
    assert not config.teacher.agent.first_thought_prefix
    assert {cell.mode for cell in config.evaluate.cells} == {mode}
    assert any(cell.trained for cell in config.evaluate.cells)


def test_the_runs_keep_everything_on_the_shared_folder(shared: Path) -> None:
    folders = set()
    for path in FILES:
        config = paper(path.stem)
        places = [config.folder, config.retriever.folder, config.retriever.corpus, config.retriever.index.file]
        places += [task.path for task in config.questions.train + config.questions.test]
        places += [config.grading.judge.cache, config.rollout.reuse or config.folder]
        assert all(place.startswith(f"{shared}/") for place in places)
        folders.add(config.folder)
    # The two files that other files start from have the name of base; every run has a folder of its own.
    assert len(folders) == len(FILES) - 2


def test_what_the_teacher_asks_for() -> None:
    config = paper("teacher")
    calls = planned(config)
    rollout, evaluate = asks([calls["rollout"], calls["evaluate"]])
    assert (rollout.gpus, evaluate.gpus) == (4, 4)
    (need,) = needs([calls["rollout"]])
    assert need.gpu_gb == pytest.approx(16.4, abs=0.1)  # 32.8 billion weights of two bytes on four GPUs
    assert need.memory_gb == pytest.approx(64.56, abs=0.01)
    assert need.tokens == 2_996 * 6 * 1_024


def test_a_student_asks_for_no_gpu_to_roll_out() -> None:
    gpus = {ask.phase: ask.gpus for ask in asks(list(planned(paper("student_7b")).values()))}
    assert (gpus["rollout"], gpus["train"], gpus["evaluate"]) == (0, 4, 4)


def test_the_page_names_every_run_and_its_bounds_of_tokens() -> None:
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    runs = {path.stem for path in FILES} - {"cot_distill", "cot_rag_distill"}
    assert runs == set(re.findall(r"configs/paper/([\w.]+)\.yaml", page))
    stated = re.findall(r"^\| `(\w+)` \| ([\d.]* ?M?) ?\| ([\d.]* ?M?) ?\|$", page, re.M)
    assert len(stated) == 6
    for run, rollout, evaluation in stated:
        calls = planned(paper(run.replace("SIZE", "0.5b")))
        found = {need.phase: need for need in needs(list(calls.values()))}
        for bound, stage in ((rollout, "rollout"), (evaluation, "evaluate")):
            if bound.strip():
                assert bound.strip() == shown(found[stage].tokens)


def test_the_page_says_what_the_reports_copy_of_the_table_holds() -> None:
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    rows = published().rows
    assert f"{len(rows)} rows of its Table 2, none of a 7B student" in page
    assert "7B" not in {row.size for row in rows}
    named = set(re.findall(r"^\| (?:32B )?([^|`]+?) \| `\w+` \| `\w+` \|$", page, re.M))
    assert named == {row.method for row in rows}


def test_what_binds_a_phase_can_be_stored() -> None:
    assert json.loads(json.dumps(binding(dict(planned(paper("student_3b"))["evaluate"].settings))))

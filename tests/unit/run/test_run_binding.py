"""Which settings bind a phase: those that can change what it makes."""

import json
from enum import Enum
from pathlib import Path

import pytest
from run_parts import config_for

from agentdistill.config import RunConfig, TrainConfig
from agentdistill.config.settings import binding
from agentdistill.run import Run
from agentdistill.run.phases.base import Call
from agentdistill.run.record.binding import changes


def call_of(kind: str, config: RunConfig) -> Call:
    run = Run(config, planning=True)
    getattr(run, kind)()
    return run.calls[-1]


def differing(kind: str, folder: Path, override: str) -> list[str]:
    recorded = binding(dict(call_of(kind, config_for(folder)).settings))
    return changes(recorded, call_of(kind, config_for(folder, override)).settings)


@pytest.mark.parametrize(
    ("kind", "override"),
    [
        ("rollout", "rollout.actors=4"),
        ("rollout", "teacher.engine.max_num_seqs=7"),
        ("rollout", "retriever.replicas=1"),
        ("rollout", "sandbox.max_sessions=9"),
        ("rollout", "cluster.num_cpus=3"),
        ("rollout", "train.learning_rate=1"),
        ("train", "train.workers=2"),
        ("train", "train.max_failures=9"),
        ("train", "train.checkpoint.keep=9"),
        ("train", "teacher.agent.max_steps=3"),
        ("evaluate", "evaluate.engine.max_num_seqs=7"),
        ("evaluate", "train.epochs=7"),
    ],
)
def test_settings_that_change_only_how_it_runs_or_another_phase_may_change(
    kind: str, override: str, tmp_path: Path
) -> None:
    assert differing(kind, tmp_path, override) == []


@pytest.mark.parametrize(
    ("kind", "override"),
    [
        ("questions", "questions.check_overlap=false"),
        ("index", "retriever.index.kind=bm25"),
        ("rollout", "teacher.agent.max_steps=3"),
        ("rollout", "rollout.samples=2"),
        ("rollout", "retriever.k=5"),
        ("rollout", "seed=5"),
        ("rollout", "name=other"),
        ("rollout", "sandbox.limits.wall_s=3.0"),
        ("select", "select.correct=false"),
        ("train", "train.lora.r=8"),
        ("evaluate", "evaluate.seeds=[1]"),
        ("report", "report.title=mine"),
    ],
)
def test_settings_that_change_the_result_are_named(kind: str, override: str, tmp_path: Path) -> None:
    (found,) = differing(kind, tmp_path, override)
    assert found.startswith(override.partition("=")[0])


def test_a_cells_setting_is_named_with_its_place_in_the_list(tmp_path: Path) -> None:
    assert differing("evaluate", tmp_path, "evaluate.cells[1].mode=cot") == [
        "evaluate.cells[1].mode: agent there, cot here"
    ]


def test_what_binds_is_plain_and_leaves_the_rest_out() -> None:
    plain = binding(TrainConfig())
    assert plain["lora"]["r"] == 64
    assert not {"workers", "checkpoint", "backend", "stream"} & set(plain)


def test_a_setting_that_a_record_does_not_know_counts_as_its_default(tmp_path: Path) -> None:
    recorded = binding(dict(call_of("train", config_for(tmp_path)).settings))
    del recorded["train"]["packing"], recorded["train"]["lora"]
    assert changes(recorded, call_of("train", config_for(tmp_path)).settings) == []
    assert changes(recorded, call_of("train", config_for(tmp_path, "train.packing=false")).settings) == [
        "train.packing: True there, False here"
    ]


def test_a_recorded_setting_that_does_not_bind_is_left_out(tmp_path: Path) -> None:
    recorded = binding(dict(call_of("train", config_for(tmp_path)).settings))
    recorded["train"]["workers"] = 7
    assert changes(recorded, call_of("train", config_for(tmp_path)).settings) == []


def test_a_section_that_a_record_does_not_know_counts_as_its_defaults(tmp_path: Path) -> None:
    settings = call_of("rollout", config_for(tmp_path, "sandbox.preload=[]")).settings
    recorded = {key: value for key, value in binding(dict(settings)).items() if key != "sandbox"}
    assert changes(recorded, settings) == ["sandbox.preload: ['numpy', 'sympy', 'pandas', 'scipy'] there, [] here"]


class _Colour(Enum):
    RED = "red"


def test_settings_are_the_same_once_json_has_given_them_back() -> None:
    """A phase's own settings may hold whatever a YAML file and a settings dataclass can."""
    settings = {"levels": {1: "easy", 2: (1, 2)}, "place": Path("a/b"), "colour": _Colour.RED, "none": float("nan")}
    recorded = json.loads(json.dumps(binding(settings)))
    assert changes({"settings": recorded}, {"settings": settings}) == []
    assert changes({"settings": recorded}, {"settings": {**settings, "place": Path("a/c")}}) == [
        "settings.place: a/b there, a/c here"
    ]

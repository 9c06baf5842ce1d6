"""Distilling chains of thought: rollout, selection and training by the phases that distil agents."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from train_parts import tiny_student

from agentdistill import storage
from agentdistill.agent import load_prompt
from agentdistill.config import RunConfig, load
from agentdistill.run import Run, TrainingSet, Trajectories
from agentdistill.schema import TRAINING_EXAMPLES, TRAJECTORIES, examples_from_table, trajectories_from_table
from agentdistill.train.data.render import Renderer
from agentdistill.train.data.tokenizer import load_tokenizer, stop_token_ids
from agentdistill.types import Role, StopReason

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=128 * 2**20,
        logging_level="ERROR",
        runtime_env={
            "env_vars": {"PYTHONPATH": str(Path(__file__).parents[1] / "helpers")}
        },  # workers import the expert
    )
    yield
    ray.shutdown()


def config_for(folder: Path, name: str, *more: str) -> RunConfig:
    sets = {"train": range(2, 10), "test": range(20, 22)}
    for split, numbers in sets.items():
        rows = [{"id": f"{split}{i}", "question": f"What is {i} plus 1?", "answer": str(i + 1)} for i in numbers]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(
        None,
        [
            f"name={name}", f"folder={folder}/{name}", "retriever.enabled=false", "sandbox.service=false",
            "sandbox.preload=[]", "teacher.mode=cot", "teacher.engine.engine=scripted",
            "teacher.engine.expert=cot_experts:reasons", "teacher.agent.prompt=teacher",
            "evaluate.agent.prompt=student", "select.prompt=student", "rollout.in_flight=8",
            *(f"questions.{split}=[{{task: file, path: {folder}/{split}.jsonl}}]" for split in sets),
            f"train.model={tiny_student()}", "train.lora.enabled=false", "train.launcher=local", "train.epochs=1",
            "train.batch_size=3", "train.dtype=float32", "train.max_length=1024", "train.tensorboard=false",
            "train.threads_per_worker=1", "train.gradient_checkpointing=false", *more,
        ],
    )  # fmt: skip


def up_to_selection(run: Run) -> tuple[Trajectories, TrainingSet]:
    questions = run.questions()
    run.index()
    taught = run.rollout(questions.train)
    return taught, run.select(taught)


def test_a_teachers_chains_of_thought_become_a_student(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path, "cot"))
    taught, selected = up_to_selection(run)
    student = run.train(selected)

    rows = trajectories_from_table(storage.read_folder(taught.path, TRAJECTORIES))
    assert {row.mode for row in rows} == {"cot"}
    assert {row.stop_reason for row in rows} == {StopReason.ANSWERED}
    assert selected.summary["dropped"] == {"no answer: none in the text": 1, "wrong answer": 1}

    examples = examples_from_table(storage.read_folder(selected.path, TRAINING_EXAMPLES))
    assert len(examples) == 6
    tokenizer = load_tokenizer(tiny_student())
    renderer = Renderer(tokenizer, stop_token_ids(tiny_student(), tokenizer))
    for example in examples:
        assert [message.role for message in example.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT]
        assert example.messages[0].content == load_prompt("cot").render().text
        (sequence,) = renderer.render(example)
        pairs = zip(sequence.token_ids, sequence.weights, strict=True)
        trained = tokenizer.decode([token for token, weight in pairs if weight > 0])
        assert trained.startswith(example.messages[2].content)

    assert student.summary["steps"] == 2


def test_a_second_student_learns_from_the_first_ones_trajectories(tmp_path: Path) -> None:
    _, first = up_to_selection(Run(config_for(tmp_path, "first")))
    reused, second = up_to_selection(Run(config_for(tmp_path, "second", f"rollout.reuse={first.folder.path}")))

    assert reused.summary["reused"] == reused.summary["total"] == 8
    files = [storage.read_folder(selected.path, TRAINING_EXAMPLES) for selected in (first, second)]
    assert files[0].equals(files[1])

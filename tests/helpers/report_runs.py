"""Made-up run folders for the tests and the benchmark of the report: the shape of real ones, of any size."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from agentdistill import storage
from agentdistill.agent import THOUGHT_CODE
from agentdistill.schema import examples_to_table, trajectories_to_table
from agentdistill.types import (
    ActionError,
    Candidate,
    Grade,
    Kind,
    Message,
    Role,
    Step,
    StopReason,
    TrainingExample,
    Trajectory,
)

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
_WORDS = [
    "river",
    "capital",
    "harbour",
    "railway",
    "treaty",
    "novel",
    "engine",
    "province",
    "election",
    "bishop",
    "festival",
    "stadium",
    "island",
    "museum",
    "senate",
    "bridge",
    "archive",
    "dynasty",
    "glacier",
    "orchestra",
    "colony",
    "admiral",
    "observatory",
    "monastery",
    "parliament",
    "cathedral",
    "expedition",
]


@dataclass(frozen=True)
class Shape:
    """What a made-up run holds."""

    questions: int = 24  # evaluation questions of each task
    teacher: int = 40  # teacher's trajectories
    tasks: tuple[str, ...] = ("hotpotqa", "math500")
    cells: tuple[tuple[str, float, int], ...] = (("before", 0.1, 1), ("after", 0.7, 1), ("after-sag", 0.75, 4))
    passage_words: int = 90
    seed: int = 0


def write_run(folder: Path, shape: Shape | None = None, name: str = "made-up", rows_per_file: int = 2_000) -> Path:
    """Write a run folder with every part; returns it."""
    shape = shape or Shape()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(shape, name)))
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in _metrics()))
    teacher = list(teacher_trajectories(shape))
    _write(folder / "trajectories", teacher, rows_per_file)
    kept = [item for item in teacher if item.grade and item.grade.correct]
    dropped = len(teacher) - len(kept)
    funnel = {"total": len(teacher), "kept": len(kept), "dropped": {"wrong answer": dropped}}
    (folder / "select.json").write_text(json.dumps(funnel))
    storage.write_table(str(folder / "training_set" / "examples.parquet"), examples_to_table(map(_example, kept)))
    for cell, accuracy, candidates in shape.cells:
        _write(folder / "scores" / cell, list(cell_trajectories(shape, cell, accuracy, candidates)), rows_per_file)
    return folder


def teacher_trajectories(shape: Shape) -> Iterator[Trajectory]:
    """The teacher's rollouts, on questions of their own."""
    rng = random.Random(f"teacher {shape.seed}")
    for number in range(shape.teacher):
        task = shape.tasks[number % len(shape.tasks)]
        yield _trajectory(rng, shape, f"train-{task}-{number}", task, "teacher", "teacher", rng.random() < 0.8, 1)


def cell_trajectories(shape: Shape, cell: str, accuracy: float, candidates: int) -> Iterator[Trajectory]:
    """One evaluation cell: the same questions whatever the cell."""
    rng = random.Random(f"{cell} {shape.seed}")
    for task in shape.tasks:
        for number in range(shape.questions):
            question = f"{task}-{number}"
            yield _trajectory(rng, shape, question, task, "student", cell, rng.random() < accuracy, candidates)


def hostile(trajectory: Trajectory) -> Trajectory:
    """The trajectory with markup in every text that a model or a data set may have written."""
    steps = tuple(
        replace(
            step,
            thought_text=HOSTILE + step.thought,
            code_text=f"print({HOSTILE!r})",
            observation=HOSTILE,
            error=ActionError.EXECUTION,
            error_message=HOSTILE,
            candidates=tuple(
                replace(item, thought=HOSTILE, outcome_key=f"printed:{HOSTILE}") for item in step.candidates
            ),
        )
        for step in trajectory.steps
    )
    return replace(trajectory, question=HOSTILE, gold_answers=(HOSTILE,), answer=HOSTILE, steps=steps, task=HOSTILE)


def _write(folder: Path, trajectories: list[Trajectory], rows_per_file: int) -> None:
    for start in range(0, len(trajectories), rows_per_file):
        table = trajectories_to_table(trajectories[start : start + rows_per_file])
        storage.write_table(str(folder / f"part-{start:06d}.parquet"), table)


def _trajectory(
    rng: random.Random, shape: Shape, question: str, task: str, role: str, cell: str, correct: bool, candidates: int
) -> Trajectory:
    subject = random.Random(question)
    first, second = (" ".join(subject.sample(_WORDS, 2)).title() for _ in range(2))
    gold = str(subject.randrange(1500, 2000))
    answer = gold if correct else str(int(gold) + rng.randrange(1, 90))
    steps = [
        _step(
            rng, shape, f"I need to know when the {first} was founded, so I search for it.", _search(first), candidates
        ),
        _step(rng, shape, f"Now I look up the {second} and compare the years.", _search(second), candidates),
    ]
    if rng.random() < 0.2:
        steps.insert(1, _failed(rng))
    out_of_steps = not correct and rng.random() < 0.4
    if not out_of_steps:
        code = f"years = [{answer}, {int(answer) + 7}]\nfinal_answer(min(years))"
        steps.append(_step(rng, shape, "The earlier of the two years is the answer.", code, candidates, final=answer))
    return Trajectory(
        run_id=f"made-up/{cell}",
        question_id=question,
        sample_index=0,
        task=task,
        kind=Kind.MATH,
        question=f"Which came first, the {first} or the {second}, and in which year was it founded?",
        gold_answers=(gold,),
        role=role,
        model=cell,
        model_revision="",
        mode="agent",
        protocol="thought_code",
        prompt_version="student_v1-00000000",
        first_thought_prefix="I need to know" if role == "teacher" else "",
        opening=(Message(Role.USER, "?"),),
        steps=tuple(steps),
        answer=None if out_of_steps else answer,
        stop_reason=StopReason.MAX_STEPS if out_of_steps else StopReason.FINAL_ANSWER,
        error="",
        grade=Grade(float(correct), correct, "math 1"),
        seed=0,
        started_at="2026-01-01T00:00:00Z",
        duration_s=round(rng.uniform(2, 9), 2),
    )


def _search(subject: str) -> str:
    return f'hits = search("year in which the {subject} was founded")\n# read before relying on it\nprint(hits)'


def _step(rng: random.Random, shape: Shape, thought: str, code: str, candidates: int, final: str = "") -> Step:
    passages = "\n\n".join(
        f"Doc {n} (Title: {rng.choice(_WORDS).title()})\n{' '.join(rng.choices(_WORDS, k=shape.passage_words))}."
        for n in (1, 2, 3)
    )
    turn = THOUGHT_CODE.read(f"Thought: {thought}\nCode:\n```py\n{code}\n```<end_code>")
    return Step(
        text=turn.text,
        parts=turn.parts,
        observation="" if final else passages,
        token_ids=tuple(rng.randrange(49_000) for _ in range(80)),
        num_prompt_tokens=rng.randrange(300, 2_000),
        num_completion_tokens=80 * candidates,
        num_tool_calls=0 if final else 1,
        candidates=_candidates(rng, thought, code, candidates, final),
        generation_s=round(rng.uniform(0.5, 2), 3),
        sandbox_s=0.004,
        tools_s=0.0 if final else 0.02,
    )


def _candidates(rng: random.Random, thought: str, code: str, count: int, final: str) -> tuple[Candidate, ...]:
    if count == 1:
        return ()
    key = f"final:{final}" if final else "printed:the founding"
    rest = [
        Candidate(thought, f"{code}\nprint(1/0)", "", "ZeroDivisionError: division by zero", False),
        *(
            Candidate(thought, code, key if rng.random() < 0.6 else "printed:something else", "", False)
            for _ in range(2, count)
        ),
    ]
    return (Candidate(thought, code, key, "", True), *rest)


def _failed(rng: random.Random) -> Step:
    error = rng.choice([ActionError.EXECUTION, ActionError.NO_CODE])
    code = "print(unknown_name)" if error is ActionError.EXECUTION else ""
    message = "NameError: name 'unknown_name' is not defined" if code else "no code block was found"
    text = f"Thought: Let me see.\nCode:\n```py\n{code}\n```<end_code>" if code else "I think that it is 1850."
    parts = THOUGHT_CODE.read(text).parts if code else ()
    return Step(text, parts, f"Error: {message}", error=error, error_message=message, num_completion_tokens=30)


def _example(trajectory: Trajectory) -> TrainingExample:
    messages = (
        Message(Role.USER, trajectory.question),
        *(Message(Role.ASSISTANT, step.text) for step in trajectory.steps),
    )
    return TrainingExample(
        example_id="/".join(map(str, trajectory.key)),
        run_id=trajectory.run_id,
        question_id=trajectory.question_id,
        sample_index=trajectory.sample_index,
        task=trajectory.task,
        messages=messages,
        failed_steps=tuple(step.error is not None for step in trajectory.steps),
    )


def _metrics() -> list[dict[str, float]]:
    rng = random.Random(0)
    rows = []
    for step in range(1, 121):
        loss = 0.15 + 1.4 * 0.97**step + rng.uniform(-0.05, 0.05)
        row = {"step": step, "num_steps": 120, "loss": loss, "learning_rate": 3e-4, "tokens_per_s": 160.0}
        rows.append(row | ({"held_out_loss": loss + 0.05} if step % 40 == 0 else {}))
    return rows


def _config(shape: Shape, name: str) -> dict[str, object]:
    return {
        "name": name,
        "teacher": {"engine": {"engine": "scripted", "expert": "world", "model": "unused"}},
        "train": {
            "model": "qwen2.5-0.5b",
            "mask_failed_actions": True,
            "train_on_prefix": True,
            "thought_weight": 1.0,
            "code_weight": 1.0,
            "final_weight": 1.0,
        },
        "evaluate": {
            "engine": {"model": "qwen2.5-0.5b"},
            "cells": [{"name": cell, "trained": cell != "before"} for cell, _, _ in shape.cells],
        },
    }

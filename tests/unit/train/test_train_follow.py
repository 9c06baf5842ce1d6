"""Following a run's metrics: each step once and in order, and no byte twice."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from agentdistill.train.follow import MetricsTail, follow
from agentdistill.train.metrics import JsonLines, StepMetrics


def metrics(step: int) -> StepMetrics:
    values = {item.name: float(step) for item in fields(StepMetrics)}
    return StepMetrics(**{**values, "step": step, "num_steps": 9})


def write(path: Path, *steps: int, resume_step: int = 100) -> None:
    log = JsonLines(path, resume_step)
    for step in steps:
        log.write(metrics(step))
    log.close()


def steps_of(tail: MetricsTail) -> list[int]:
    return [item.step for item in tail.read()]


def test_only_new_lines_are_returned(tmp_path):
    path = tmp_path / "metrics.jsonl"
    tail = MetricsTail(path)

    assert steps_of(tail) == []
    write(path, 1, 2)
    assert tail.read() == [metrics(1), metrics(2)]
    assert steps_of(tail) == []
    write(path, 3)
    assert steps_of(tail) == [3]


def test_what_was_read_before_is_not_read_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, 1, 2, 3)
    tail = MetricsTail(path)
    tail.read()
    before = path.read_bytes()
    last = before.splitlines(keepends=True)[-1]
    new = (json.dumps(asdict(metrics(4))) + "\n").encode()

    path.write_bytes(b"x" * (len(before) - len(last)) + last + new)

    assert steps_of(tail) == [4]


def test_a_line_that_is_not_whole_waits_for_its_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    line = json.dumps(asdict(metrics(1))) + "\n"
    tail = MetricsTail(path)

    path.write_text(line[:20])
    assert steps_of(tail) == []
    path.write_text(line)
    assert steps_of(tail) == [1]


def test_a_file_that_a_resumed_run_has_cut_is_read_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, 1, 2, 3)
    tail = MetricsTail(path)
    tail.read()

    write(path, 20, 30, 40, resume_step=1)  # longer lines than those that they replace

    assert steps_of(tail) == [1, 20, 30, 40]


def test_each_step_is_told_once_and_in_order_though_a_resumed_run_writes_it_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, 1, 2)  # of an earlier call
    told = []

    with follow(path, told.append, every_s=0.001):
        write(path, 3, 4)
        write(path, 3, 4, 5, resume_step=2)

    assert [item.step for item in told] == [3, 4, 5]


def test_without_anybody_to_tell_nothing_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("no JSON\n")

    with follow(path, None):
        pass

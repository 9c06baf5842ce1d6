"""A rollout whose task, environment, protocol and engine come from another package, on a local Ray cluster."""

from pathlib import Path

import pytest
from extension import CONFIG, command, install

from agentdistill import storage
from agentdistill.run.folder import RunFolder
from agentdistill.schema import TRAINING_EXAMPLES, TRAJECTORIES, examples_from_table, trajectories_from_table

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


def test_workers_find_the_extension_and_its_answers_are_right(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command(
        install(tmp_path),
        "rollout",
        "--config",
        str(CONFIG),
        f"folder={run}",
        "cluster.num_cpus=2",
        "cluster.object_store_mb=100",
    )
    rows = trajectories_from_table(storage.read_folder(RunFolder(str(run)).trajectories(), TRAJECTORIES))
    assert len(rows) == 24
    assert all(row.grade is not None and row.grade.correct for row in rows)
    assert {(row.answer, row.protocol, row.model) for row in rows} == {
        (row.gold_answers[0], "one_line", "bisecting") for row in rows
    }
    examples = examples_from_table(storage.read_folder(str(run / "training_set"), TRAINING_EXAMPLES))
    assert len(examples) == 24
    assert {example.messages[0].content for example in examples} == {rows[0].opening[0].content}

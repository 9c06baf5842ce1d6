"""What selection notes of a trajectory reaches the loss."""

from pathlib import Path

import pytest
from train_parts import renderer_for
from trajectories import FAILED_STEP, STEP, make_trajectory

from agentdistill import storage
from agentdistill.config import SelectConfig, TrainConfig
from agentdistill.schema import TRAINING_EXAMPLES, examples_from_table, trajectories_to_table
from agentdistill.select import select
from agentdistill.train.render import RenderOptions


@pytest.mark.slow  # loads the libraries of training
def test_a_failed_action_that_was_selected_can_be_left_out_of_the_loss(tmp_path: Path) -> None:
    trajectory = make_trajectory(steps=(FAILED_STEP, STEP))
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table([trajectory]))
    select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), SelectConfig())
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    trained = []
    for mask in (False, True):
        renderer = renderer_for("chatml", RenderOptions.from_config(TrainConfig(mask_failed_actions=mask)))
        (sequence,) = renderer.render(example)
        trained.append(sum(weight > 0 for weight in sequence.weights))
    # Both turns are written alike, so half of what was trained is left.
    assert trained[0] == 2 * trained[1] > 0

"""What selection notes of a trajectory reaches the loss."""

from pathlib import Path

import pytest
from train_parts import renderer_for
from trajectories import FAILED_STEP, STEP, make_trajectory

from agentdistill import storage
from agentdistill.config import SelectConfig, TrainConfig
from agentdistill.schema import TRAINING_EXAMPLES, examples_from_table, trajectories_to_table
from agentdistill.select import select
from agentdistill.select.job import to_example
from agentdistill.train.data.sequences import render_all


@pytest.mark.slow  # loads the libraries of training
def test_a_failed_action_that_was_selected_can_be_left_out_of_the_loss(tmp_path: Path) -> None:
    trajectory = make_trajectory(steps=(FAILED_STEP, STEP))
    storage.write_table(str(tmp_path / "t" / "a.parquet"), trajectories_to_table([trajectory]))
    select(str(tmp_path / "t"), str(tmp_path / "s"), str(tmp_path / "select.json"), SelectConfig())
    (example,) = examples_from_table(storage.read_folder(str(tmp_path / "s"), TRAINING_EXAMPLES))
    trained = []
    for mask in (False, True):
        renderer = renderer_for("chatml", TrainConfig(mask_failed_actions=mask))
        (sequence,) = renderer.render(example)
        trained.append(sum(weight > 0 for weight in sequence.weights))
    # Both turns are written alike, so half of what was trained is left.
    assert trained[0] == 2 * trained[1] > 0


@pytest.mark.slow  # loads the libraries of training
def test_the_order_in_which_episodes_ended_does_not_decide_what_is_trained_when() -> None:
    examples = [
        to_example(make_trajectory(question_id=f"q{question}", sample_index=sample, steps=(STEP,)))
        for question in range(4)
        for sample in range(2)
    ]
    config = TrainConfig(held_out_share=0.25)
    renderer = renderer_for("chatml", config)
    one, other = (render_all(order, renderer, config)[0] for order in (examples, examples[::-1]))
    assert one.num_rows == 8
    assert one.equals(other)

"""Packing and planning: full rows, level ranks, and the same steps on any number of ranks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.pack import Plan, balance, pack_rows, plan_steps, row_fill

LENGTHS = st.lists(st.integers(1, 100), min_size=1, max_size=60)


def plan_of(lengths, **changes) -> Plan:
    config = TrainConfig(**{"batch_size": 4, "pack_length": 100, **changes})
    return plan_steps([[i] for i in range(len(lengths))], lengths, config)


@given(LENGTHS)
def test_rows_hold_every_sequence_once_and_never_more_than_their_capacity(lengths):
    rows = pack_rows(lengths, 100)

    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 100 for row in rows)


def test_a_sequence_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="101 tokens does not fit into a row of 100"):
        pack_rows([101], 100)


def test_rows_are_at_least_95_percent_full_on_the_papers_lengths():
    draw = random.Random(0)
    lengths = [min(10_240, max(64, round(draw.lognormvariate(7.313, 0.6)))) for _ in range(2_000)]

    assert row_fill(pack_rows(lengths, 10_240), lengths, 10_240) >= 0.95


@given(LENGTHS, st.integers(1, 4))
def test_no_rank_has_more_than_the_longest_sequence_above_another(lengths, ranks):
    loads = [sum(lengths[index] for index in part) for part in balance(lengths, ranks)]

    assert max(loads) - min(loads) <= max(lengths)


@given(LENGTHS, st.integers(1, 4))
def test_every_rank_has_as_many_rows_in_a_step(lengths, ranks):
    plan = plan_of(lengths)

    for step in range(plan.num_steps):
        assert len({len(rows) for rows in plan.rows(step, ranks)}) == 1


@given(LENGTHS, st.integers(1, 4))
def test_a_step_trains_the_same_sequences_on_any_number_of_ranks(lengths, ranks):
    plan = plan_of(lengths)

    for step in range(plan.num_steps):
        trained = [index for rows in plan.rows(step, ranks) for row in rows for index in row]
        assert sorted(trained) == sorted(plan.steps[step])


def test_an_epoch_trains_every_sequence_once_in_an_order_that_the_seed_fixes():
    lengths = [10] * 10
    plan = plan_of(lengths)

    assert sorted(index for step in plan.steps[: plan.steps_per_epoch] for index in step) == list(range(10))
    assert plan == plan_of(lengths)
    assert plan.steps != plan_of(lengths, seed=1).steps


@pytest.mark.parametrize(("epochs", "max_steps", "expected"), [(2.0, None, 6), (1.5, None, 5), (9.0, 4, 4)])
def test_epochs_and_max_steps_decide_the_number_of_steps(epochs, max_steps, expected):
    assert plan_of([10] * 10, epochs=epochs, max_steps=max_steps).num_steps == expected


def test_without_packing_every_row_holds_one_sequence():
    plan = plan_of([10] * 4, packing=False, epochs=1)

    assert [len(row) for row in plan.rows(0, 1)[0]] == [1, 1, 1, 1]


def test_batches_of_rows_pack_the_whole_epoch_first():
    draw = random.Random(1)
    lengths = [draw.randint(5, 60) for _ in range(400)]

    plan = plan_of(lengths, batch_rows=2, epochs=1)

    rows = [row for step in range(plan.num_steps) for row in plan.rows(step, 1)[0]]
    assert row_fill(rows, lengths, 100) >= 0.95


def test_the_sequences_of_one_example_stay_in_one_step():
    plan = plan_steps([[0, 1, 2], [3, 4]], [10] * 5, TrainConfig(batch_size=1, epochs=1))

    assert sorted(plan.steps) == [(0, 1, 2), (3, 4)]

"""Whole episodes that vote on the answer of their question."""

import dataclasses

import pytest
from trajectories import make_trajectory

from agentdistill.evaluate.episodes import EpisodeFacts
from agentdistill.evaluate.summary import summarize
from agentdistill.evaluate.votes import Ballot, ballots, count_votes, episodes_for
from agentdistill.types import Grade, StopReason


def episode(answer, correct, sample=0, seed=0, **changes):
    grade = None if correct is None else Grade(float(correct), correct, "math-1")
    given = {"mode": "vote_agent", "answer": answer, "grade": grade, "sample_index": sample, "seed": seed + sample}
    return EpisodeFacts.of(make_trajectory(**given, **changes))


def test_the_answer_of_most_counts_and_all_are_paid_for():
    group = [episode("7", False, 0), episode("12", True, 1), episode("\\boxed{12.0}", True, 2)]
    [found] = count_votes(group)
    assert found.correct is True
    assert found.num_episodes == 3
    for name in ("num_steps", "num_completion_tokens", "num_prompt_tokens", "num_tool_calls"):
        assert getattr(found, name) == sum(getattr(item, name) for item in group) > 0


def test_a_majority_for_a_wrong_answer_is_wrong():
    [found] = count_votes([episode("7", False, 0), episode("12", True, 1), episode("7", False, 2)])
    assert found.correct is False


def test_ties_are_broken_by_seed_and_question_and_not_by_the_order_of_storage():
    verdicts = set()
    for seed in range(0, 20_000, 1_000):
        group = [episode("7", False, 0, seed), episode("12", True, 1, seed)]
        [found], [again], [reversed_] = count_votes(group), count_votes(group), count_votes(group[::-1])
        assert found.correct == again.correct == reversed_.correct
        verdicts.add(found.correct)
    assert verdicts == {True, False}


def test_episodes_without_an_answer_do_not_outvote_one_that_has_one():
    group = [episode(None, False, 0), episode(None, False, 1), episode("12", True, 2)]
    assert count_votes(group)[0].correct is True


def test_no_answer_at_all_is_wrong_and_not_ungraded():
    assert count_votes([episode(None, False, 0), episode("", False, 1)])[0].correct is False


def test_what_the_system_failed_has_no_vote_and_costs_nothing():
    failed = episode("7", None, 0, stop_reason=StopReason.ENGINE_ERROR, error="down")
    group = [failed, dataclasses.replace(failed, sample_index=1, seed=1), episode("12", True, 2)]
    [found] = count_votes(group)
    assert (found.correct, found.num_episodes) == (True, 1)
    assert found.num_completion_tokens == group[2].num_completion_tokens


def test_a_question_whose_episodes_the_system_all_failed_counts_for_nobody():
    failed = [episode(None, None, sample, stop_reason=StopReason.ENGINE_ERROR, error="down") for sample in (0, 1)]
    found = summarize([*failed, episode("12", True, 0, question_id="q2"), episode("12", True, 1, question_id="q2")])
    assert (found.num_failed, found.num_lost, found.num_questions, found.accuracy.value) == (1, 2, 1, 1.0)


def test_a_verdict_on_another_wording_stands_for_the_one_that_a_judge_left_open():
    for seed in range(0, 8_000, 1_000):
        group = [episode("12", None, 0, seed), episode("12.0", True, 1, seed), episode("7", False, 2, seed)]
        assert count_votes(group)[0].correct is True


def test_votes_of_two_seeds_are_counted_apart():
    first = [episode("12", True, sample, 0) for sample in (0, 1)]
    second = [episode("7", False, sample, 1_000) for sample in (0, 1)]
    found = summarize(first + second)
    assert (found.num_episodes, found.num_correct, found.num_questions) == (2, 1, 1)
    assert (found.seeds.n, found.seeds.mean, found.voters) == (2, 0.5, 2.0)


def test_episodes_of_other_modes_are_left_as_they_are():
    plain = [EpisodeFacts.of(make_trajectory(sample_index=sample)) for sample in (0, 1)]
    assert count_votes(plain) == plain
    assert ballots(plain) == [None, None]
    assert summarize(plain).voters == 1.0


def test_each_ballot_says_how_many_agree_and_which_was_taken():
    failed = episode(None, None, 3, stop_reason=StopReason.ENGINE_ERROR, error="down")
    group = [episode("7", False, 0), episode("12", True, 1), episode("12.0", True, 2), failed]
    found = ballots(group)
    assert [(item.agree, item.voters) for item in found] == [(1, 3), (2, 3), (2, 3), (0, 3)]
    assert [item.taken for item in found].count(True) == 1
    assert not found[0].taken
    assert ballots([failed]) == [Ballot(0, 0, False)]


def test_a_very_long_answer_votes_as_it_is_written():
    long = "x" * 1_000_000
    [found] = count_votes([episode(long, False, 0), episode(long, False, 1), episode("12", True, 2)])
    assert found.correct is False


@pytest.mark.parametrize(
    ("budget", "price", "at_most", "n"),
    [(800, 100, 32, 8), (849, 100, 32, 8), (851, 100, 32, 9), (30, 100, 32, 1), (9_000, 100, 32, 32)],
)
def test_a_budget_buys_the_nearest_number_of_whole_episodes(budget, price, at_most, n):
    assert episodes_for(budget, price, at_most) == n


@pytest.mark.parametrize(("budget", "price"), [(0, 100), (100, 0)])
def test_a_budget_without_tokens_is_refused(budget, price):
    with pytest.raises(ValueError, match="expected both above 0"):
        episodes_for(budget, price, 8)

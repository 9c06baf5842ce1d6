"""The summary of one evaluation cell."""

import dataclasses

import pytest

from agentdistill.evaluate.episodes import EpisodeFacts
from agentdistill.evaluate.summary import summarize
from agentdistill.types import ActionError, Grade, Kind, Step, StopReason, Trajectory


def step(error=None, tokens=10, calls=1):
    return Step("t", (), "o", error=error, num_prompt_tokens=100, num_completion_tokens=tokens, num_tool_calls=calls)


def episode(question="q0", correct=True, task="world", seed=0, reason=StopReason.FINAL_ANSWER, steps=None):
    return Trajectory(
        run_id="r",
        question_id=question,
        sample_index=0,
        task=task,
        kind=Kind.MATH,
        question="?",
        gold_answers=("1",),
        role="student",
        model="m",
        model_revision="",
        mode="agent",
        protocol="thought_code",
        prompt_version="1",
        first_thought_prefix="",
        opening=(),
        steps=(step(), step()) if steps is None else tuple(steps),
        answer="1",
        stop_reason=reason,
        error="",
        grade=None if correct is None else Grade(float(correct), correct, "math 1"),
        seed=seed,
        duration_s=2.0,
    )


def test_means_are_per_episode_and_costs_per_correct_answer():
    found = summarize([episode("a"), episode("b", correct=False, steps=[step()])])
    assert (found.steps, found.completion_tokens, found.prompt_tokens, found.tool_calls) == (1.5, 15, 150, 1.5)
    assert (found.seconds_per_correct, found.tokens_per_correct) == (4.0, 30)
    assert found.accuracy.value == 0.5


def test_invalid_actions_and_execution_errors_are_told_apart():
    steps = [step(ActionError.NO_CODE), step(ActionError.EXECUTION), step(ActionError.LIMIT), step()]
    found = summarize([episode(steps=steps)])
    assert (found.invalid_actions, found.execution_errors) == (1, 2)
    assert (found.invalid_action_share, found.execution_error_share) == (0.25, 0.5)


def test_what_the_system_failed_is_counted_apart_and_never_as_wrong():
    found = summarize([episode("a"), episode("b", correct=None, reason=StopReason.ENGINE_ERROR)])
    assert (found.num_episodes, found.num_failed, found.num_ungraded) == (2, 1, 0)
    assert (found.accuracy.value, found.accuracy.n) == (1.0, 1)
    assert found.stop_reasons[StopReason.ENGINE_ERROR] == 1


def test_what_the_grader_could_not_decide_is_counted_apart_and_never_as_wrong():
    found = summarize([episode("a"), episode("b", correct=None)])
    assert (found.num_ungraded, found.accuracy.value, found.num_questions) == (1, 1.0, 1)


def test_nothing_correct_has_no_cost_per_correct_answer():
    found = summarize([episode(correct=False)])
    assert found.seconds_per_correct is None
    assert found.tokens_per_correct is None


def test_no_episode_is_a_summary_without_figures():
    found = summarize([])
    assert (found.accuracy, found.average, found.by_task, found.num_episodes, found.steps) == (None, None, {}, 0, 0)


def test_the_average_weighs_tasks_alike():
    episodes = [episode(f"a{i}", task="small") for i in range(2)]
    episodes += [episode(f"b{i}", correct=False, task="large") for i in range(8)]
    found = summarize(episodes)
    assert found.average.value == pytest.approx(0.5)
    assert found.accuracy.value == pytest.approx(0.2)
    assert list(found.by_task) == ["large", "small"]


def test_an_average_of_nothing_correct_is_not_certain_of_it():
    found = summarize(
        [episode(f"{task}{i}", correct=False, task=task) for task in ("small", "large") for i in range(6)]
    )
    assert (found.average.value, found.average.low) == (0.0, 0.0)
    assert found.average.high > 0.2


def test_seeds_are_spread_and_questions_stay_the_unit():
    episodes = [episode(f"q{i}", correct=i % 2 == seed, seed=seed) for i in range(9) for seed in (0, 1)]
    found = summarize(episodes)
    assert found.accuracy.n == 9
    assert found.seeds.n == 2
    assert (found.seeds.low, found.seeds.high) == pytest.approx((4 / 9, 5 / 9))


def test_the_summary_of_facts_equals_the_summary_of_trajectories():
    episodes = [episode(f"q{i}", correct=i % 3 == 0, steps=[step(ActionError.LIMIT)] * (i + 1)) for i in range(5)]
    assert summarize(episodes) == summarize([EpisodeFacts.of(item) for item in reversed(episodes)])


def test_a_summary_is_plain_data():
    assert dataclasses.asdict(summarize([episode()]))["accuracy"]["n"] == 1

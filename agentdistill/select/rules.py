"""The rules by which a trajectory, looked at alone, becomes training data: each names a reason to drop it, or None.

The paper's rule (arXiv 2505.17612, section 5): the answer is correct, no step failed to parse, and the episode did not
run out of steps. Code errors that the agent recovered from stay.
"""

from __future__ import annotations

from collections.abc import Callable

from agentdistill import plugins
from agentdistill.config import SelectConfig
from agentdistill.errors import DataError
from agentdistill.types import INVALID_ACTIONS, StopReason, Trajectory

#: Looks at one trajectory; returns why it is dropped, or None.
Rule = Callable[[Trajectory], str | None]


def make_rules(config: SelectConfig) -> list[Rule]:
    """The chain of rules that the config asks for, in the order in which they are applied. Raises ConfigError."""
    rules: list[Rule] = [system_failure]
    if config.within_steps:
        rules.append(out_of_budget)
    if config.no_parse_error:
        rules.append(parse_error)
    if config.correct:
        rules.append(wrong_answer)
    if config.drop_repeated:
        rules.append(repeated_step)
    if config.max_chars is not None:
        rules.append(too_long(config.max_chars))
    return rules + [own_rule(name) for name in config.rules]


def own_rule(name: str) -> Rule:
    """A rule of somebody's own package. Raises ConfigError where there is none of that name.

    The rule raises DataError where it raised itself, or returned neither a reason nor None.
    """
    decide = plugins.load("rule", name)

    def rule(trajectory: Trajectory) -> str | None:
        try:
            reason = decide(trajectory)
        except Exception as error:
            which = "/".join(map(str, trajectory.key))
            raise DataError(f"rule {name}: raised {type(error).__name__} on trajectory {which}: {error}") from error
        if reason is not None and (not isinstance(reason, str) or not reason):
            raise DataError(f"rule {name}: returned {reason!r:.60}, expected the reason to drop a trajectory, or None")
        return reason

    return rule


def system_failure(trajectory: Trajectory) -> str | None:
    return f"system failure: {trajectory.stop_reason}" if trajectory.stop_reason.is_system else None


def out_of_budget(trajectory: Trajectory) -> str | None:
    if trajectory.stop_reason is StopReason.ANSWERED and trajectory.answer is None:
        return "no answer: none in the text"
    answered = trajectory.stop_reason in (StopReason.FINAL_ANSWER, StopReason.ANSWERED)
    return None if answered else f"no answer: {trajectory.stop_reason}"


def parse_error(trajectory: Trajectory) -> str | None:
    return "invalid action" if any(step.error in INVALID_ACTIONS for step in trajectory.steps) else None


def wrong_answer(trajectory: Trajectory) -> str | None:
    if trajectory.grade is None:
        return "not graded"
    return None if trajectory.grade.correct else "wrong answer"


def repeated_step(trajectory: Trajectory) -> str | None:
    return "repeats itself" if trajectory.repeated else None


def too_long(max_chars: int) -> Rule:
    def rule(trajectory: Trajectory) -> str | None:
        length = sum(len(message.content) for message in trajectory.messages)
        return f"longer than {max_chars} characters" if length > max_chars else None

    return rule

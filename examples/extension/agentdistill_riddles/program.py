"""A program: runs a whole episode in its own way, here two turns without an environment."""

from collections.abc import Mapping

from agentdistill.agent import EpisodeSettings, Start, make_trajectory
from agentdistill.types import Environment, Generate, Message, Question, Request, Role, Step, StopReason, Trajectory
from agentdistill_riddles.protocol import PROTOCOL


async def ask_twice(
    question: Question, engines: Mapping[str, Generate], environment: Environment, settings: EpisodeSettings
) -> Trajectory:
    """Ask, doubt the answer, and take the second one."""
    start, opening = Start(), (Message(Role.USER, question.text),)
    steps: list[Step] = []
    for doubt in ("Are you sure?", ""):
        asked = (*opening, *(message for step in steps for message in step.messages))
        completion = (await engines["main"](Request(asked, settings.sampling(PROTOCOL.stop))))[0]
        turn = PROTOCOL.read(completion.text, completion.finish_reason)
        steps.append(
            Step(
                turn.text,
                turn.parts,
                observation=doubt,
                observation_header="",
                error=turn.error,
                error_message=turn.error_message,
                token_ids=completion.token_ids,
                num_prompt_tokens=completion.num_prompt_tokens,
                num_completion_tokens=completion.num_completion_tokens,
            )
        )
    answer, ended = turn.action or None, StopReason.ANSWERED
    return make_trajectory(question, settings, start, opening=opening, steps=steps, answer=answer, stop_reason=ended)

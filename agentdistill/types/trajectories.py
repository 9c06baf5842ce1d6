"""The record of one episode."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from agentdistill.types.messages import Message, Role
from agentdistill.types.parts import Part, PartKind, action_of, text_of


class StopReason(StrEnum):
    """Why an episode ended."""

    FINAL_ANSWER = "final_answer"  # the code called final_answer(...)
    MAX_STEPS = "max_steps"  # the step budget is used up
    TOKEN_BUDGET = "token_budget"  # the episode's token budget is used up
    TIME_BUDGET = "time_budget"  # the episode's wall-clock budget is used up
    CONTEXT_FULL = "context_full"  # the conversation leaves no room in the model's context
    ANSWERED = "answered"  # a mode without code: the one completion is the answer
    ENGINE_ERROR = "engine_error"  # the engine failed or died
    SANDBOX_ERROR = "sandbox_error"  # the sandbox (not the code in it) failed
    RETRIEVER_ERROR = "retriever_error"  # the retriever was down, as opposed to finding nothing
    INTERNAL_ERROR = "internal_error"  # anything else that was raised

    @property
    def is_system(self) -> bool:
        """True where the system failed, not the model: such an episode is run again on resume."""
        return self in _SYSTEM_REASONS


_SYSTEM_REASONS = frozenset(
    {StopReason.ENGINE_ERROR, StopReason.SANDBOX_ERROR, StopReason.RETRIEVER_ERROR, StopReason.INTERNAL_ERROR}
)


_Key = TypeVar("_Key", bound=Hashable)


def counts_over(ended: StopReason, before: StopReason) -> bool:
    """Whether a record that ended so counts in place of one with the same key that was met before it.

    A key may stand twice: an actor died after its write and before its report. One that the agent ended counts before
    one that the system failed, then the one met first.
    """
    return before.is_system and not ended.is_system


def rows_that_count(rows: Iterable[tuple[_Key, StopReason]]) -> dict[_Key, int]:
    """The position of the row that counts for each key (see `counts_over`)."""
    kept: dict[_Key, tuple[int, StopReason]] = {}
    for position, (key, ended) in enumerate(rows):
        if key not in kept or counts_over(ended, kept[key][1]):
            kept[key] = (position, ended)
    return {key: position for key, (position, _) in kept.items()}


class ActionError(StrEnum):
    """What was wrong with a step, where something was."""

    NO_CODE = "no_code"  # no code block was found in the completion
    UNFINISHED = "unfinished"  # the completion hit its token limit inside a block, or within a chain of thought
    EMPTY = "empty"  # nothing but whitespace, or an empty block
    EXECUTION = "execution"  # the code raised
    LIMIT = "limit"  # the code hit a sandbox limit


#: The steps whose text could not be turned into code at all ("invalid actions").
INVALID_ACTIONS = frozenset({ActionError.NO_CODE, ActionError.UNFINISHED, ActionError.EMPTY})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the N actions of self-consistent action generation, kept for the report."""

    thought: str
    code: str
    outcome_key: str  # the canonical form of its outcome; candidates with equal keys agree. Empty where it failed.
    error: str  # why it was dropped; empty where it was not
    chosen: bool


#: In front of an observation, unless a protocol says otherwise.
OBSERVATION_HEADER = "Observation:\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the agent, and what came back."""

    text: str  # the assistant's turn as it stands in the conversation, first-thought prefix included
    parts: tuple[Part, ...] = ()  # what stands where in `text`
    observation: str = ""  # empty: nothing came back
    observation_header: str = OBSERVATION_HEADER  # what stands before it in its message
    observation_role: Role = Role.USER  # who speaks it
    error: ActionError | None = None
    error_message: str = ""
    token_ids: tuple[int, ...] = ()  # [num_tokens] of the completion, as the engine sampled them
    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0  # over all candidates
    num_tool_calls: int = 0
    candidates: tuple[Candidate, ...] = ()  # empty without SAG
    generation_s: float = 0.0
    sandbox_s: float = 0.0  # tools excluded
    tools_s: float = 0.0
    prompt_token_ids: tuple[int, ...] = ()  # [num_prompt_tokens] of this step's request, where asked for
    logprobs: tuple[float, ...] = ()  # [num_tokens] of `token_ids`, where asked for
    thought_text: str | None = None  # the thought where it does not stand in `text` as such; None: the parts say it
    code_text: str | None = None  # the code that was run, in the same case

    @property
    def thought(self) -> str:
        return text_of(self.text, self.parts, PartKind.THOUGHT) if self.thought_text is None else self.thought_text

    @property
    def code(self) -> str:
        return text_of(self.text, self.parts, PartKind.CODE) if self.code_text is None else self.code_text

    @property
    def action(self) -> str:
        """What the environment was given to do: the code, else the calls."""
        return self.code or action_of(self.text, self.parts)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turn, and the observation where there is one."""
        said = Message(Role.ASSISTANT, self.text)
        if not self.observation:
            return (said,)
        return said, Message(self.observation_role, self.observation_header + self.observation)


@dataclass(frozen=True, slots=True)
class Grade:
    """How good an answer is."""

    score: float  # in [0, 1]
    correct: bool
    grader: str  # name and version of what decided


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The record of one episode. Key: (run_id, question_id, sample_index)."""

    run_id: str
    question_id: str
    sample_index: int
    task: str
    kind: str  # the question's: a Kind, or the name of a grader
    question: str
    gold_answers: tuple[str, ...]
    role: str  # who acted: "teacher", "student", ...
    model: str
    model_revision: str
    mode: str  # "agent", "cot", ...
    protocol: str  # the name of the agent protocol that read the turns
    prompt_version: str
    first_thought_prefix: str
    opening: tuple[Message, ...]  # the conversation before the first step: system prompt and question
    steps: tuple[Step, ...]
    answer: str | None
    stop_reason: StopReason
    error: str  # what failed, where stop_reason is a system failure; or why there is no grade
    repeated: bool = False  # the episode ran the same code and saw the same observation again
    grade: Grade | None = None
    seed: int | None = None
    started_at: str = ""  # ISO 8601, UTC
    duration_s: float = 0.0

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.run_id, self.question_id, self.sample_index)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation, last observation included."""
        return (*self.opening, *(message for step in self.steps for message in step.messages))

    @property
    def num_prompt_tokens(self) -> int:
        return sum(step.num_prompt_tokens for step in self.steps)

    @property
    def num_completion_tokens(self) -> int:
        return sum(step.num_completion_tokens for step in self.steps)

    @property
    def num_tool_calls(self) -> int:
        return sum(step.num_tool_calls for step in self.steps)

    @property
    def num_invalid_actions(self) -> int:
        return sum(step.error in INVALID_ACTIONS for step in self.steps)

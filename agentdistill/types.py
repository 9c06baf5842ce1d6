"""The nouns of the project, as frozen dataclasses: what stages hand to each other and what tests build.

Nothing here imports a third-party package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """How an answer is compared with the gold answers."""

    MATH = "math"  # as a mathematical expression
    FACTUAL = "factual"  # as text: exact match, F1, or a judge


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


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


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
class Question:
    """One task item."""

    id: str
    text: str
    answers: tuple[str, ...]  # accepted gold answers, at least one
    kind: Kind
    task: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as text; chat templates are applied elsewhere."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample completions."""

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()  # generation ends at any of these; the stop text itself is kept in the completion
    seed: int | None = None
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an engine."""

    messages: tuple[Message, ...]
    sampling: Sampling
    prefix: str = ""  # every completion continues this text of the assistant's turn; not repeated in the completion


class FinishReason(StrEnum):
    """Why the engine stopped writing."""

    STOP = "stop"  # the end-of-turn token or a stop text
    LENGTH = "length"  # max_tokens, or the end of the context


@dataclass(frozen=True, slots=True)
class Completion:
    """One of the n answers to a request."""

    text: str
    finish_reason: FinishReason
    token_ids: tuple[int, ...] = ()  # [num_completion_tokens], as sampled; empty where the engine does not tell
    prompt_token_ids: tuple[int, ...] = ()  # [num_prompt_tokens], prefix included
    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    logprobs: tuple[float, ...] = ()  # [num_completion_tokens] where asked for


class Generate(Protocol):
    """An engine, as the agent sees it."""

    async def __call__(self, request: Request) -> list[Completion]:
        """Return `request.sampling.n` completions. Raises EngineError, PromptTooLongError."""
        ...


class Limit(StrEnum):
    """Which sandbox limit ended a piece of code."""

    WALL = "wall"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    FILES = "files"
    PROCESSES = "processes"
    VALUE = "value"
    CRASH = "crash"  # the interpreter died: a fatal signal, os._exit, sys.exit of the whole process


@dataclass(frozen=True, slots=True)
class CodeError:
    """What the code in the sandbox raised."""

    type: str
    message: str
    traceback: str = ""  # the part that lies in the session's own code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one piece of code did."""

    stdout: str
    value: str | None = None  # repr of a last bare expression
    error: CodeError | None = None
    final_answer: str | None = None  # what final_answer(x) received, as text
    is_final: bool = False
    limit: Limit | None = None
    duration_s: float = 0.0
    num_tool_calls: int = 0
    tools_s: float = 0.0  # seconds spent waiting for tools, part of duration_s
    state_lost: bool = False  # the session's variables did not survive; it starts empty at the next call


class CodeSession(Protocol):
    """A sandbox session, as the agent sees it. `agentdistill.sandbox` provides it in process and as a service."""

    async def run(self, code: str) -> Outcome:
        """Run code in the session. Raises SandboxError, SessionLostError, BusyError; never for what the code did."""
        ...

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        """Run each code in a fork of the session; the session is unchanged."""
        ...

    async def commit(self, index: int) -> None:
        """Make fork `index` of the last try_all the session."""
        ...

    async def close(self) -> None:
        """End the session. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """One hit of the retriever."""

    id: str
    title: str
    text: str
    score: float


class Search(Protocol):
    """The retriever, as everything else sees it."""

    async def __call__(self, queries: list[str], k: int) -> list[list[Passage]]:
        """Return at most k passages per query, best first. Raises RetrieverError, BusyError."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the N actions of self-consistent action generation, kept for the report."""

    thought: str
    code: str
    outcome_key: str  # the canonical form of its outcome; candidates with equal keys agree. Empty where it failed.
    error: str  # why it was dropped; empty where it was not
    chosen: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One Thought, one Code block, one Observation."""

    text: str  # the assistant's turn as it stands in the conversation, first-thought prefix included
    thought: str
    code: str
    observation: str
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
    kind: Kind
    question: str
    gold_answers: tuple[str, ...]
    role: str  # who acted: "teacher", "student", ...
    model: str
    model_revision: str
    mode: str  # "agent", "cot", ...
    prompt_version: str
    first_thought_prefix: str
    messages: tuple[Message, ...]  # the whole conversation, last observation included
    steps: tuple[Step, ...]
    answer: str | None
    stop_reason: StopReason
    error: str  # what failed, where stop_reason is a system failure
    repeated: bool = False  # the episode ran the same code and saw the same observation again
    grade: Grade | None = None
    seed: int | None = None
    started_at: str = ""  # ISO 8601, UTC
    duration_s: float = 0.0

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.run_id, self.question_id, self.sample_index)

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


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One conversation to learn from, and where it came from."""

    example_id: str
    run_id: str
    question_id: str
    sample_index: int
    task: str
    messages: tuple[Message, ...]  # the student's system prompt, the question, then agent and observation in turn
    failed_steps: tuple[bool, ...]  # [num_assistant_messages] True where the action failed
    prefix_chars: int = 0  # how many leading characters of the first assistant message are the first-thought prefix

"""What a student learns from."""

from __future__ import annotations

from dataclasses import dataclass

from agentdistill.types.messages import Message
from agentdistill.types.parts import Part


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
    #: [num_assistant_messages] the parts of each assistant message; empty where nobody said what they are
    parts: tuple[tuple[Part, ...], ...] = ()

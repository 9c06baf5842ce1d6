"""A chat: the column `messages` of system, user, assistant; a user message after the first is an observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentdistill.traces.conversations import Conversation, read_conversation
from agentdistill.types import Trajectory


class _Chat:
    column = "messages"

    def fits(self, row: Mapping[str, Any]) -> bool:
        return self.column in row

    def read(self, row: Mapping[str, Any]) -> Conversation:
        return read_conversation(row.get(self.column), has_responses=False)

    def write(self, trajectory: Trajectory) -> dict[str, Any]:
        """The conversation, and in further columns what an import asks for."""
        row = {
            "id": trajectory.question_id,
            "question": trajectory.question,
            "true_answer": list(trajectory.gold_answers),
            "generated_answer": trajectory.answer,
            "kind": str(trajectory.kind),
            "model": trajectory.model,
            "messages": [{"role": str(item.role), "content": item.content} for item in trajectory.messages],
        }
        return row if trajectory.grade is None else row | {"correct": trajectory.grade.correct}


CHAT = _Chat()

"""A format: a form in which somebody publishes what agents did."""

from collections.abc import Mapping
from typing import Any

from agentdistill.traces.conversations import Conversation, UnreadableRowError
from agentdistill.types import FinishReason, Step, StopReason
from agentdistill_riddles.protocol import PROTOCOL


class Pairs:
    """A row is `{"pair": [question, turn]}`, where the turn ends in the line `guess: N` that was right."""

    column = "pair"

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a source that begins with this row has this form."""
        return self.column in row

    def read(self, row: Mapping[str, Any]) -> Conversation:
        """The row as a conversation of one step."""
        question, written = row["pair"]
        turn = PROTOCOL.read(written, FinishReason.STOP)
        if turn.error is not None:
            raise UnreadableRowError(turn.error_message)
        step = Step(turn.text, turn.parts)
        return Conversation(None, question, (step,), turn.action, StopReason.FINAL_ANSWER, PROTOCOL.name)


PAIRS = Pairs()

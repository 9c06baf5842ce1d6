"""smolagents' memory (1.13 to 1.26), as the authors of arXiv 2505.17612 publish it: the column `log_data`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentdistill.traces.conversations import Conversation, UnreadableRowError, read_conversation


class _Smolagents:
    column = "log_data"

    def fits(self, row: Mapping[str, Any]) -> bool:
        return self.column in row

    def read(self, row: Mapping[str, Any]) -> Conversation:
        """`log_data` is a list of messages or an object with `messages`, as JSON text or as it is."""
        return read_conversation(_messages(row.get(self.column)), has_responses=True)


SMOLAGENTS = _Smolagents()


def _messages(value: Any) -> object:
    if value is None or value == "" or value == {} or value == []:
        raise UnreadableRowError("log_data is empty")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise UnreadableRowError("log_data is not JSON") from error
    if not value:
        raise UnreadableRowError("log_data is empty")
    return value.get("messages") if isinstance(value, dict) else value

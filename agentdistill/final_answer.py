"""Where a program calls `final_answer`, found by reading it, not by running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from agentdistill.types import BETWEEN_PARTS

_LINE_END = re.compile(r"\r\n|\r|\n")


def final_answer_call(code: str) -> ast.Call | None:
    """The last call of `final_answer` in the code, or None; code that is not Python calls nothing."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "final_answer"
    ]
    return max(calls, key=lambda call: (call.lineno, call.col_offset)) if calls else None


def final_answer_within(text: str, pieces: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Where that call stands in the text whose pieces, joined, are the code; None where it is in no piece whole."""
    found = _span(BETWEEN_PARTS.join(text[start:end] for start, end in pieces)) if pieces else None
    before = 0  # characters of the code in front of the piece
    for start, end in pieces if found is not None else ():
        assert found is not None
        if before <= found[0] and found[1] <= before + end - start:
            return start + found[0] - before, start + found[1] - before
        before += end - start + len(BETWEEN_PARTS)
    return None


def _span(code: str) -> tuple[int, int] | None:
    """Characters [start, end) of the call, from its name to its closing parenthesis."""
    call = final_answer_call(code)
    if call is None or call.end_lineno is None or call.end_col_offset is None:
        return None
    starts = [0, *(match.end() for match in _LINE_END.finditer(code))]

    def position(line: int, column: int) -> int:
        # The parser counts bytes of UTF-8 within a line.
        written = code[starts[line - 1] :].encode("utf-8", "surrogatepass")[:column]
        return starts[line - 1] + len(written.decode("utf-8", "surrogatepass"))

    start, end = position(call.lineno, call.col_offset), position(call.end_lineno, call.end_col_offset)
    # A form feed makes the parser count otherwise than we do: then nothing is said.
    return (start, end) if code.startswith("final_answer", start) and code.endswith(")", start, end) else None

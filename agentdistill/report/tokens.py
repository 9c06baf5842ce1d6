"""The tokens that the student was trained on, with their loss weights, for some of the teacher's trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentdistill import storage
from agentdistill.errors import DataError
from agentdistill.report.folder import RunData
from agentdistill.train.data.sequences import SCHEMA

#: One sequence as the page holds it: its tokens' texts, and each one's weight in the loss.
Colored = tuple[list[str], list[float]]

_STUDENTS = ("adapter", "student")  # where training leaves the student with its tokenizer


def colored_tokens(run: RunData, examples: Mapping[str, int], limit: int) -> dict[int, list[Colored]]:
    """Return the trained sequences of at most `limit` of the examples: page index -> its sequences in order.

    `examples` maps example ids to indices of the page, the most wanted first. Empty, with a note on the run, where the
    rendered sequences or the student's tokenizer are not in the run folder.
    """
    if not examples or limit <= 0:
        return {}
    wanted = dict(list(examples.items())[:limit])
    try:
        tokenizer = _tokenizer(run)
        rows = _sequences(run, wanted)
    except FileNotFoundError as error:
        run.note("sequences", "missing", f"trained tokens are not shown: {error}")
        return {}
    except DataError as error:
        run.note("sequences", "broken", str(error))
        return {}
    found: dict[int, list[Colored]] = {}
    for row in sorted(rows, key=lambda row: (row["example_id"], row["part"])):
        pieces = _pieces(tokenizer, row["token_ids"])
        weights = [round(weight, 3) for weight in row["weights"]]
        found.setdefault(wanted[row["example_id"]], []).append((pieces, weights))
    return found


def _tokenizer(run: RunData) -> Any:
    from tokenizers import Tokenizer

    for name in _STUDENTS:
        path = storage.join(run.folder, name, "tokenizer.json")
        if not storage.exists(path):
            continue
        try:
            return Tokenizer.from_buffer(storage.read_bytes(path))
        except Exception as error:  # the library raises its base class
            raise DataError(f"{path}: not a tokenizer: {error}") from error
    raise FileNotFoundError(f"{run.folder} holds no student with its tokenizer")


def _sequences(run: RunData, wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    path = storage.join(run.folder, "sequences", f"{_fingerprint(run)[:16]}.parquet")
    if not storage.exists(path):
        paths = storage.parquet_files(storage.join(run.folder, "sequences"))
        if len(paths) != 1:
            raise FileNotFoundError(f"{run.folder}/sequences does not hold the rendered training set")
        path = paths[0]
    table = storage.read_table(path, SCHEMA, ["example_id", "part", "token_ids", "weights"])
    return table.filter(pc.is_in(table.column("example_id"), pa.array(list(wanted), pa.string()))).to_pylist()


def _fingerprint(run: RunData) -> str:
    """Which of the rendered training sets the student was trained on, by the record beside it."""
    for name in _STUDENTS:
        path = storage.join(run.folder, name, "training.json")
        if storage.exists(path):
            return str(storage.read_json(path).get("fingerprint", ""))
    return ""


def _pieces(tokenizer: Any, token_ids: Sequence[int]) -> list[str]:
    """The text of each token; one that holds part of a character stands with the token that completes it."""
    pieces: list[str] = []
    pending: list[int] = []
    for token in token_ids:
        pending.append(token)
        text = tokenizer.decode(pending, skip_special_tokens=False)
        if text.endswith("\ufffd") and len(pending) < 4:
            pieces.append("")
            continue
        pieces.append(text)
        pending = []
    return pieces

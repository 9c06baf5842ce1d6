"""The tokens that carried loss, as the page shows them."""

import pyarrow as pa
import pytest
from report_runs import Shape, write_run

from agentdistill import storage
from agentdistill.report.folder import read_run
from agentdistill.report.tokens import colored_tokens
from agentdistill.train.data.sequences import SCHEMA


@pytest.fixture
def run(tmp_path):
    """A run whose student has a tokenizer of single bytes, and one rendered example."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = write_run(tmp_path / "run", Shape(questions=2, teacher=4))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: n for n, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    (folder / "adapter").mkdir()
    tokenizer.save(str(folder / "adapter" / "tokenizer.json"))
    ids = tokenizer.encode("a é→").ids
    rows = [
        {"example_id": "e", "part": 0, "token_ids": ids, "weights": [0.0] + [1.0] * (len(ids) - 1), "held_out": False}
    ]
    storage.write_table(str(folder / "sequences" / "x.parquet"), pa.Table.from_pylist(rows, schema=SCHEMA))
    return read_run(str(folder))


def test_tokens_keep_their_weights_and_their_text(run):
    ((pieces, weights),) = colored_tokens(run, {"e": 7}, 10)[7]
    assert "".join(pieces) == "a é→"
    assert len(pieces) == len(weights)
    assert weights[0] == 0.0
    assert weights[-1] == 1.0


def test_a_character_of_several_tokens_stands_with_its_last(run):
    ((pieces, _),) = colored_tokens(run, {"e": 0}, 10)[0]
    assert pieces == ["a", " ", "", "é", "", "", "→"]


def test_only_as_many_examples_as_asked_for(run):
    assert colored_tokens(run, {"other": 0, "e": 1}, 1) == {}


def test_without_a_tokenizer_the_run_says_so(tmp_path):
    run = read_run(str(write_run(tmp_path / "run", Shape(questions=2, teacher=4))))
    assert colored_tokens(run, {"e": 0}, 10) == {}
    assert "holds no student with its tokenizer" in run.notes[0].detail


def test_a_broken_tokenizer_is_named(run):
    from pathlib import Path

    path = Path(run.folder) / "adapter" / "tokenizer.json"
    path.write_text("{}")
    assert colored_tokens(run, {"e": 0}, 10) == {}
    assert str(path) in run.notes[-1].detail

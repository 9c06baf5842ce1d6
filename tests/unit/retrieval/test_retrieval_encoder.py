"""The encoder's prefixes, pooling and precision are configuration."""

import numpy as np
import pytest

from agentdistill.config.retriever import EncoderConfig
from agentdistill.errors import DataError
from agentdistill.retrieval.encoder import PRESETS, Encoder, resolve_encoder


def encoder(**settings):
    config = EncoderConfig(**settings)
    return Encoder(resolve_encoder(config), config)


@pytest.fixture(scope="module")
def minilm():
    return encoder()


def test_vectors_have_length_one(minilm):
    vectors = minilm.encode_queries(["Oslo", "a much longer text about the city of Oslo in Norway"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_order_of_texts_is_kept_whatever_their_lengths(minilm):
    texts = ["long " * 60, "a", "some words in between", "b"]
    together = minilm.encode_passages(texts)
    alone = np.concatenate([minilm.encode_passages([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_prefixes_are_put_in_front(minilm):
    prefixed = encoder(query_prefix="query: ", passage_prefix="passage: ")
    np.testing.assert_allclose(prefixed.encode_queries(["Oslo"]), minilm.encode_queries(["query: Oslo"]), atol=1e-5)
    np.testing.assert_allclose(prefixed.encode_passages(["Oslo"]), minilm.encode_passages(["passage: Oslo"]), atol=1e-5)


def test_pooling_by_the_first_token_differs_from_the_mean(minilm):
    assert not np.allclose(encoder(pooling="cls").encode_queries(["Oslo"]), minilm.encode_queries(["Oslo"]), atol=0.01)


def test_normalising_can_be_left_out():
    assert np.linalg.norm(encoder(normalize=False).encode_queries(["Oslo"])) > 1.5


def test_half_precision_stays_close(minilm):
    half = encoder(dtype="bfloat16").encode_queries(["the capital of Norway"])
    assert float((half * minilm.encode_queries(["the capital of Norway"])).sum()) > 0.99


def test_a_fingerprint_tells_encoders_apart_and_nothing_else():
    base = resolve_encoder(EncoderConfig()).fingerprint
    assert resolve_encoder(EncoderConfig(batch_size=7, threads=2, dtype="bfloat16")).fingerprint == base
    others = [EncoderConfig(query_prefix="q"), EncoderConfig(passage_prefix="p"), EncoderConfig(pooling="cls")]
    assert len({base, *(resolve_encoder(other).fingerprint for other in others)}) == 4


def test_the_presets_know_their_prefixes():
    assert PRESETS["e5-base-v2"].query_prefix == "query: "
    assert PRESETS["e5-base-v2"].passage_prefix == "passage: "
    assert PRESETS["bge-base-en"].pooling == "cls"
    assert PRESETS["bge-base-en"].passage_prefix == ""


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(DataError, match="it holds no"):
        resolve_encoder(EncoderConfig(model=str(tmp_path)))

"""An index folder whose parts do not belong together is refused with the reason, and any query is answered."""

import json
import shutil

import pytest
from retrieval_rows import CITIES, ROWS

from agentdistill.config.retriever import EncoderConfig, IndexConfig, RetrieverConfig
from agentdistill.errors import DataError, UserError
from agentdistill.retrieval.build import build_index
from agentdistill.retrieval.local import open_index


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "index"
    build_index(RetrieverConfig(), ROWS, folder)
    return folder


@pytest.fixture(scope="module")
def retriever(built):
    opened = open_index(built)
    yield opened
    opened.close()


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


def change_manifest(folder, change):
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


async def test_it_satisfies_search(retriever):
    passages = (await retriever(["Where is Seville?"], 2))[0]
    assert passages[0].title == "Seville"
    assert passages[0].id == "5"
    assert passages[0].score >= passages[1].score


@pytest.mark.parametrize(
    "query",
    [
        "x" * 100_000,
        "Oslo\0Oslo",
        "Oslo \ud800 \udfff",
        "オスロはどこですか",
        "🏔" * 50,
        "\u202e\u0000\ufeff Oslo",
        "a" * 9000 + "\ud800",
    ],
)
def test_any_text_is_answered(retriever, query):
    assert len(retriever.search([query], 3)[0]) == 3


@pytest.mark.parametrize("query", ["", " \n\t", "\0\0"])
def test_an_empty_query_has_no_hits(retriever, query):
    found = retriever.search([query, "Oslo"], 2)
    assert found[0] == []
    assert found[1][0].title == "Oslo"


def test_no_queries_give_no_results(retriever):
    assert retriever.search([], 3) == []


def test_k_beyond_the_corpus_gives_all_of_it(retriever):
    assert sorted(passage.title for passage in retriever.search(["a city"], 1000)[0]) == sorted(CITIES)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_a_k_below_one_is_named(retriever, k):
    with pytest.raises(UserError, match="expected a whole number of at least 1"):
        retriever.search(["Oslo"], k)


@pytest.mark.parametrize("query", [None, 7, ["Oslo"], b"Oslo"])
def test_a_query_that_is_no_text_is_named(retriever, query):
    with pytest.raises(UserError, match="expected a string"):
        retriever.search([query], 1)


def test_keyword_search_in_an_unknown_language_finds_nothing(tmp_path):
    build_index(RetrieverConfig(index=IndexConfig(kind="bm25")), ROWS, tmp_path / "index")
    opened = open_index(tmp_path / "index")
    assert opened.search(["オスロはどこですか", "the of and", "Paris"], 3)[:2] == [[], []]
    assert [passage.title for passage in opened.search(["paris"], 3)[0]] == ["Paris"]
    opened.close()


def test_a_folder_without_an_index_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no index here"):
        open_index(tmp_path)


@pytest.mark.parametrize("name", ["dense-000-of-001.faiss", "passages.arrow"])
def test_a_truncated_file_is_named(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(DataError, match=f"{name}: .* the file is truncated or another's"):
        open_index(copy)


@pytest.mark.parametrize("name", ["dense-000-of-001.faiss", "passages.arrow"])
def test_an_exchanged_file_of_the_same_size_is_named(copy, name):
    path = copy / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=f"{name}: its checksum is not the manifest's"):
        open_index(copy)


def test_a_missing_file_is_named(copy):
    (copy / "passages.arrow").unlink()
    with pytest.raises(DataError, match=r"passages\.arrow: this file of the index is missing"):
        open_index(copy)


def test_a_corpus_of_another_count_is_named(copy):
    change_manifest(copy, lambda value: value.update(count=99))
    with pytest.raises(DataError, match="12 passages, the manifest says 99"):
        open_index(copy)


def test_an_index_of_another_dimension_is_named(copy):
    change_manifest(copy, lambda value: value.update(dimension=768))
    with pytest.raises(DataError, match="12 vectors of 384 dimensions, expected 12 of 768"):
        open_index(copy)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99}', '{"version": 1}'])
def test_a_manifest_that_is_none_is_named(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json"):
        open_index(copy)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (EncoderConfig(query_prefix="query: "), "query_prefix '', now 'query: '"),
        (EncoderConfig(pooling="cls"), "pooling 'mean', now 'cls'"),
        (EncoderConfig(normalize=False), "normalize True, now False"),
    ],
)
def test_an_encoder_that_did_not_make_the_index_is_named(copy, encoder, expected):
    with pytest.raises(DataError, match="the encoder is not the one that made this index") as caught:
        open_index(copy, encoder=encoder)
    assert expected in str(caught.value)


def test_other_weights_under_the_same_name_are_noticed(copy):
    change_manifest(copy, lambda value: value["encoder"].update(fingerprint="0" * 32))
    with pytest.raises(DataError, match="same name, other weights"):
        open_index(copy)


def test_settings_of_speed_may_differ(copy):
    opened = open_index(copy, encoder=EncoderConfig(batch_size=2, max_length=64), index=IndexConfig(memory_map=False))
    assert opened.search(["Lyon"], 1)[0][0].title == "Lyon"
    opened.close()

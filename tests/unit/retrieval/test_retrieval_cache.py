"""The cache of repeated queries."""

from agentdistill.retrieval.cache import Found, QueryCache

FOUND = Found((1, 2), (0.5, 0.4))


def test_a_repeated_query_is_answered_and_counted():
    cache = QueryCache(10)
    assert cache.get("a", 3) is None
    cache.put("a", 3, FOUND)
    assert cache.get("a", 3) is FOUND
    assert cache.hit_rate == 0.5


def test_another_k_is_another_question():
    cache = QueryCache(10)
    cache.put("a", 3, FOUND)
    assert cache.get("a", 4) is None


def test_the_least_recently_used_query_goes_first():
    cache = QueryCache(2)
    cache.put("a", 3, FOUND)
    cache.put("b", 3, FOUND)
    cache.get("a", 3)
    cache.put("c", 3, FOUND)
    assert cache.get("b", 3) is None
    assert cache.get("a", 3) is FOUND
    assert len(cache) == 2


def test_size_zero_keeps_nothing():
    cache = QueryCache(0)
    cache.put("a", 3, FOUND)
    assert len(cache) == 0
    assert cache.hit_rate == 0.0

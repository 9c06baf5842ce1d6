"""What Python and NumPy print for one value has one spelling, for votes and for grades."""

import sys
from collections import Counter, deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agentdistill.agent import canonical
from agentdistill.agent.voting import MAX_CHARS, MAX_PASSES, simplifications
from agentdistill.spelling import join_rows, plain

SAME = [
    (3, [np.int64(3), np.uint8(3), np.float64(3.0), Decimal("3.0"), Fraction(3, 1), Fraction(3)]),
    (
        [3, 4],
        [[np.int64(3), np.int64(4)], np.array([3, 4]), np.array([3.0, 4.0]), {1: 3, 2: 4}.values(), deque([3, 4])],
    ),
    ((3, 4), [(np.int64(3), np.int32(4)), (Fraction(3, 1), Decimal("4"))]),
    ({3, 4}, [frozenset({3, 4}), {np.int64(3), np.int64(4)}]),
    ([[1, 2], [3, 4]], [np.array([[1, 2], [3, 4]]), [[np.int64(1), 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]])]),
    ([[[1, 2]], [[3, 4]]], [np.array([[[1, 2]], [[3, 4]]])]),
    (["a", "b c"], [np.array(["a", "b c"]), [np.str_("a"), "b c"]]),
    ([True, False], [np.array([True, False]), [np.True_, np.False_]]),
    (0.5, [np.float32(0.5), Decimal("0.5"), Decimal("0.50")]),
    ({"x": 2}, [Counter({"x": 2}), {"x": np.int64(2)}]),
    ([0.00001, 2], [np.array([1e-5, 2])]),
]
PRINTED = [(value, other) for value, others in SAME for other in others]


@pytest.mark.parametrize(("value", "other"), PRINTED, ids=repr)
def test_one_value_is_one_vote_in_whatever_type_it_comes(value, other):
    for text in (str(other), repr(other)):
        assert canonical(text) == canonical(repr(value))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("[np.int64(3)]", "[np.int64(4)]"),
        ("[3 4]", "[34]"),
        ("[3 4]", "[4 3]"),
        ("[[1 2]\n [3 4]]", "[1 2 3 4]"),
        ("Fraction(1, 2)", "Fraction(2, 1)"),
        ("(3, 4)", "[3, 4]"),
        ("{3, 4}", "[3, 4]"),
        ("['3']", "[3]"),
        ("np.True_", "np.False_"),
        ("0b101", "101"),
        ("x**Fraction(1, 2)", "x**1/2"),
        ("float('inf')", "float('-inf')"),
        ("[1]\n[2]", "[1, 2]"),
    ],
)
def test_another_value_is_another_vote(first, second):
    assert canonical(first) != canonical(second)


@pytest.mark.parametrize(
    "text", ["print(3)", "f(np)", "my.array([1])", "b0b1", "see [1] [2]", "Decimal", "array(", "x0x1", "[a b]"]
)
def test_what_is_no_printed_value_stays(text):
    assert plain(join_rows(text)) == text


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.int64, arrays.array_shapes(max_dims=2, min_side=2, max_side=5), elements=st.integers(-999, 999))
)
def test_an_array_is_the_list_of_its_values(array):
    assert canonical(str(array)) == canonical(repr(array)) == canonical(str(array.tolist()))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["np.int64(", "array([", "Fraction(1, 2)", "0b1", ")", "]", "[", "1 ", "'", ", ", "\n "]),
        max_size=25,
    )
)
def test_a_spelling_is_its_own_and_a_canonical_form_too(pieces):
    once = canonical("".join(pieces))
    assert canonical(once) == once


HOSTILE = [
    "\\boxed{" * 20_000,
    "\\boxed{" * 3_000 + "1" + "}" * 3_000,
    "np.int64(" * 2_000 + ")" * 2_000,
    "array([" * 2_500,
    "[1 " * 6_000,
    "$" * 20_000,
    "\\" + "$" * 9_000 + "left",
    "1,111" * 4_000,
    "\\l" + "$".join("eft\\l" * 3_000),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_few_passes_read_any_text(text):
    assert len(list(simplifications(text))) <= MAX_PASSES + 2


def calls_for(text):
    """How many functions the canonical form of a text calls, those of the interpreter included."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        list(simplifications(text))
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "piece", ["12.50 ", "np.int64(3), ", "\\boxed{1} ", "\\boxed{", "[1 2] ", "$\\dfrac{1}{2}$, ", "array([1, 2])\n"]
)
def test_work_grows_with_the_length_and_no_faster(piece):
    short, long = (piece * (size // len(piece)) for size in (2_000, 16_000))
    assert calls_for(long) <= 10 * calls_for(short)


def test_a_longer_text_is_compared_but_for_its_spacing():
    long = "1.0 " * MAX_CHARS
    assert canonical(long) == long.strip()
    assert canonical(long.replace(" ", "\n")) == canonical(long)
    assert len(list(simplifications(long))) == 1


def test_equal_outputs_are_read_once():
    canonical.cache_clear()
    for _ in range(8):
        canonical("[np.int64(3)] and so on")
    assert (canonical.cache_info().misses, canonical.cache_info().hits) == (1, 7)

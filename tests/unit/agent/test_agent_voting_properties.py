"""The canonical form of an outcome, over any text."""

from hypothesis import example, given
from hypothesis import strategies as st

from agentdistill.agent import canonical

_PIECES = [
    "\\boxed{",
    "}",
    "{",
    "\\dfrac",
    "\\tfrac",
    "\\left",
    "\\right",
    "\\,",
    "$",
    " ",
    "\n",
    ",",
    ".",
    "-",
    "+",
    "e",
]
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="0123456789.,eE+-$ \\{}", max_size=60),
    st.lists(st.sampled_from([*_PIECES, "0", "7", "123", "1,000", "x", "٣", "１"]), max_size=30).map("".join),
)


@given(TEXTS)
@example("\\boxed{\\boxed{1}}")
@example("$1$,000")
@example("\\\\left,left")
@example("1e400")
@example("1e-400")
@example("-0.0")
@example("0.99999999999999999")
@example("9" * 500)
def test_canonical_is_its_own_canonical_form(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once


@given(TEXTS)
def test_spacing_around_a_text_does_not_count(text: str) -> None:
    assert canonical(f" {text}\n\t") == canonical(text)


@given(st.integers())
def test_a_whole_number_keeps_every_digit(value: int) -> None:
    assert canonical(str(value)) == str(value)
    assert canonical(f"{value:,}") == str(value)
    assert canonical(f"{value}.0") == str(value)


@given(st.integers(-(10**9), 10**9), st.integers(0, 12))
def test_a_number_is_the_same_however_many_digits_it_is_written_with(digits: int, places: int) -> None:
    value = digits / 10**places
    assert canonical(repr(value)) == canonical(f"{value:.17g}")


def test_a_zero_has_no_sign() -> None:
    assert {canonical(text) for text in ("0", "-0", "-0.0", "0e5", "+0.00")} == {"0"}

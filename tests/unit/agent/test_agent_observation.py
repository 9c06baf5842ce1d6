"""What the model reads of what its code did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.agent.protocols.observation import cut, observe
from agentdistill.types import CodeError, Limit, Outcome

ENOUGH = 10_000


def test_what_was_printed_stands_as_it_is_without_its_last_line_breaks() -> None:
    assert observe(Outcome(stdout=" a\n\nb\n\n"), ENOUGH) == " a\n\nb"


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(stdout="", value="7"), "7"),
        (Outcome(stdout="5\n", value="7"), "5\n7"),
        (Outcome(stdout="5\n", value="None"), "5"),
        (Outcome(stdout="", value="''"), "''"),
    ],
)
def test_a_last_value_follows_the_output_unless_it_is_none(outcome: Outcome, text: str) -> None:
    assert observe(outcome, ENOUGH) == text


@pytest.mark.parametrize("outcome", [Outcome(stdout=""), Outcome(stdout=" \n\t\n"), Outcome(stdout="", value="None")])
def test_silence_is_said_in_words(outcome: Outcome) -> None:
    assert observe(outcome, ENOUGH) == "(no output)"


def test_an_error_follows_what_was_printed_before_it() -> None:
    outcome = Outcome(stdout="5\n", error=CodeError("ValueError", "no", traceback="File ..."))
    assert observe(outcome, ENOUGH) == "5\nError: ValueError: no"


def test_an_error_without_a_message_ends_with_its_type() -> None:
    assert observe(Outcome(stdout="", error=CodeError("KeyboardInterrupt", "")), ENOUGH) == "Error: KeyboardInterrupt"


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_has_its_own_words(limit: Limit) -> None:
    text = observe(Outcome(stdout="", limit=limit), ENOUGH)
    others = {observe(Outcome(stdout="", limit=other), ENOUGH) for other in Limit if other is not limit}
    assert text.startswith("Error: the code was stopped: ")
    assert text not in others


def test_lost_variables_are_told() -> None:
    kept = observe(Outcome(stdout="", limit=Limit.WALL), ENOUGH)
    lost = observe(Outcome(stdout="", limit=Limit.WALL, state_lost=True), ENOUGH)
    assert lost == f"{kept} The session's variables are lost."


def test_a_long_observation_keeps_its_error() -> None:
    outcome = Outcome(stdout="x" * 50_000, error=CodeError("ValueError", "no"))
    assert observe(outcome, 300).endswith("Error: ValueError: no")


def test_what_is_cut_is_counted_and_head_outweighs_tail() -> None:
    assert cut("a" * 200 + "b" * 100, 30) == f"{'a' * 20}\n... (270 characters cut) ...\n{'b' * 10}"


@given(st.text(max_size=400), st.integers(1, 300))
def test_cut_keeps_exactly_so_many_characters_of_head_and_tail(text: str, max_chars: int) -> None:
    shown = cut(text, max_chars)
    if len(text) <= max_chars:
        assert shown == text
        return
    notice = f"\n... ({len(text) - max_chars} characters cut) ...\n"
    assert len(shown) == max_chars + len(notice)
    head = max_chars * 2 // 3
    assert shown == text[:head] + notice + text[len(text) - (max_chars - head) :]

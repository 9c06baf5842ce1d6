"""What models really write, and the code that is taken from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.agent import THOUGHT_CODE
from agentdistill.types import ActionError, FinishReason


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Thought: t\nCode:\n```py\nx = 1\n```<end_code>", "x = 1"),
        ("Thought: t\nCode:\n```python\nx = 1\n```", "x = 1"),
        ("Thought: t\nCode:\n```Python3\nx = 1\n```\n<end_code>", "x = 1"),
        ("Thought: t\nCode:\n```\nx = 1\n```", "x = 1"),
        ("Thought: t\nCode:\n```py\nx = 1\n", "x = 1"),
        ("Thought: t\nCode:\n```py\nx = 1<end_code>", "x = 1"),
        ("Thought: t\n```py\na = 1\n```\nthen\n```py\nb = 2\n```<end_code>", "a = 1\n\nb = 2"),
        ("Thought: t\n```json\n{}\n```\n```py\nb = 2\n```", "b = 2"),
        ("Thought: t\n<code>\nx = 1\n</code>", "x = 1"),
        ("Thought: t\nCode:\nx = 1\nprint(x)", "x = 1\nprint(x)"),
        ("final_answer(3)", "final_answer(3)"),
        ("Thought: t\nCode:\n```py\ns = '''a ``` b'''\n```<end_code>", "s = '''a ``` b'''"),
    ],
)
def test_code_is_found_in(text: str, code: str) -> None:
    action = THOUGHT_CODE.read(text)
    assert (action.code, action.error) == (code, None)


def test_the_thought_loses_its_label_and_the_code_line() -> None:
    assert THOUGHT_CODE.read("Thought: I add.\nCode:\n```py\n1 + 1\n```<end_code>").thought == "I add."


def test_an_invented_observation_and_all_after_it_is_dropped() -> None:
    action = THOUGHT_CODE.read("Thought: t\nCode:\n```py\nx = 1\n```\nObservation: 5\n```py\ny = 2\n```")
    assert action.code == "x = 1"
    assert "Observation" not in action.text


def test_text_after_the_block_is_dropped_from_the_conversation() -> None:
    text = "Thought: t\nCode:\n```py\nx = 1\n```<end_code>"
    assert THOUGHT_CODE.read(text + "\nThe answer is 5.").text == text


@pytest.mark.parametrize(
    ("text", "reason", "error"),
    [
        ("", FinishReason.STOP, ActionError.EMPTY),
        (" \n\t", FinishReason.STOP, ActionError.EMPTY),
        ("Observation: I am the environment", FinishReason.STOP, ActionError.EMPTY),
        ("Thought: t\nCode:\n```py\n\n```<end_code>", FinishReason.STOP, ActionError.EMPTY),
        ("The answer is 5.", FinishReason.STOP, ActionError.NO_CODE),
        ("Thought: t\nCode:\nnot python at all", FinishReason.STOP, ActionError.NO_CODE),
        ("Thought: t\nCode:\n```py\nx = [1, 2,", FinishReason.LENGTH, ActionError.UNFINISHED),
        ("Thought: on and on", FinishReason.LENGTH, ActionError.UNFINISHED),
    ],
)
def test_a_turn_without_code_says_why_and_keeps_its_text(text: str, reason: FinishReason, error: ActionError) -> None:
    action = THOUGHT_CODE.read(text, reason)
    assert action.error is error
    assert action.code == ""
    assert action.error_message
    assert text.startswith(action.text)


@given(st.text(alphabet="`pyTC:\n x=1<>end_code/Observation", max_size=200), st.sampled_from(FinishReason))
def test_no_text_makes_it_raise_and_code_and_error_exclude_each_other(text: str, reason: FinishReason) -> None:
    action = THOUGHT_CODE.read(text, reason)
    assert bool(action.code.strip()) != bool(action.error)
    assert text.startswith(action.text)


PRINTS = "Thought: add\nCode:\n```python\nprint(6 + 5)\n```"


@pytest.mark.parametrize(
    "after",
    [
        "\n```output",
        "\n```output\n10\n```\nSo the sum of \\( x \\) is 10.",
        "\n```output\n10\n```\n```text\nten\n```\nten",
    ],
)
def test_an_invented_output_is_no_code(after: str) -> None:
    action = THOUGHT_CODE.read(PRINTS + after)

    assert action.code == "print(6 + 5)"
    assert action.error is None
    assert action.text == PRINTS


def test_prose_behind_a_block_in_another_language_is_no_code() -> None:
    action = THOUGHT_CODE.read("```text\n10\n```\nThe value of \\( x \\) is 10.")

    assert action.error is ActionError.NO_CODE


def test_a_block_without_its_closing_fence_behind_an_invented_output_counts() -> None:
    action = THOUGHT_CODE.read(PRINTS + "\n```output\n10\n```\nAgain:\n```py\nprint(7)")

    assert action.code == "print(6 + 5)\n\nprint(7)"


DRAFT = "Perhaps\n```py\nfinal_answer(1)\n```<end_code>\nObservation: 1\nor `Code:`?\n"
TURN = "Thought: I add.\nCode:\n```py\nfinal_answer(2)\n```<end_code>"


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{DRAFT}</think>\n\n{TURN}",
        f"<think>\n\n</think>\n\n{TURN}",
        f"{DRAFT}</think>\n\n{TURN}",  # the template opened the block in the prompt
        f"{DRAFT}</think>{TURN}",
        f"<thinking>{DRAFT}</thinking>{TURN}",
        f"<THINK>{DRAFT}</Think>{TURN}",
        f"<seed:think>{DRAFT}</seed:think>{TURN}",
        f"[THINK]{DRAFT}[/THINK]{TURN}",
        f"◁think▷{DRAFT}◁/think▷{TURN}",
        f"<think>{DRAFT}</think><think>{DRAFT}</think>{TURN}",
        f"  <think>{DRAFT}</think>{TURN}",
        f"<think>a</think>\n<reasoning>{DRAFT}</reasoning>\n{TURN}",
        f"{TURN}\n<think>{DRAFT}</think>",
        f"{TURN}\n<think>{DRAFT}",
    ],
)
def test_a_draft_within_reasoning_is_never_run(text: str) -> None:
    action = THOUGHT_CODE.read(text)

    assert (action.code, action.thought, action.error) == ("final_answer(2)", "I add.", None)
    assert text.startswith(action.text)


@pytest.mark.parametrize(
    ("reason", "error"), [(FinishReason.STOP, ActionError.NO_CODE), (FinishReason.LENGTH, ActionError.UNFINISHED)]
)
@pytest.mark.parametrize(
    "text", [f"<think>{DRAFT}", f"<think>{DRAFT}</think>", f"<think>{DRAFT}</think>\n\n", "<think>"]
)
def test_reasoning_alone_is_no_action(text: str, reason: FinishReason, error: ActionError) -> None:
    action = THOUGHT_CODE.read(text, reason)

    assert (action.code, action.error, action.text) == ("", error, text)


@pytest.mark.parametrize(
    "code",
    [
        "print('</think>')",
        'text = "a</think>"\nprint(text)',
        "parts = '''\n<think>\nx\n</think>\n'''\nprint(parts)",
        "# <think> is a tag\nprint(1)",
    ],
)
def test_a_tag_within_a_program_is_the_programs(code: str) -> None:
    action = THOUGHT_CODE.read(f"Thought: I print.\nCode:\n```py\n{code}\n```<end_code>")

    assert (action.code, action.thought, action.error) == (code, "I print.", None)

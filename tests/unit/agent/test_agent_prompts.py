"""The worked examples of the prompts: what they show is what really happens."""

import contextlib
import io
import re

import pytest

from agentdistill.agent import load_prompt, parse_action
from agentdistill.types import FinishReason

_TASK = re.compile(r"^Task: ", re.MULTILINE)
_STEP = re.compile(r"^(Thought: .*?```<end_code>)(?:\nObservation:\n(.*?)(?=\n\nThought: ))?", re.MULTILINE | re.DOTALL)


def worked_examples(prompt: str) -> list[str]:
    return _TASK.split(load_prompt(prompt).system)[1:]


@pytest.mark.parametrize("prompt", ["teacher", "teacher_code"])
def test_every_worked_example_prints_what_it_shows_and_answers(prompt: str) -> None:
    examples = [example for example in worked_examples(prompt) if "search(" not in example]
    assert len(examples) >= 2
    for example in examples:
        answers: list[object] = []
        names: dict[str, object] = {"final_answer": answers.append}
        steps = _STEP.findall(example)
        assert len(steps) >= 2
        for text, shown in steps:
            action = parse_action(text, FinishReason.STOP)
            assert action.error is None
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(action.code, names)
            assert printed.getvalue().strip() == shown.strip()
        assert len(answers) == 1


@pytest.mark.parametrize("prompt", ["teacher_code", "student_code"])
def test_the_prompts_without_a_retriever_speak_of_no_search(prompt: str) -> None:
    assert "search" not in load_prompt(prompt).system
    assert "search(query)" in load_prompt(prompt.removesuffix("_code")).system

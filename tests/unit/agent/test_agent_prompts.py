"""The prompts: the worked examples show what really happens, and versions keep their words."""

import contextlib
import hashlib
import io
import re
from pathlib import Path

import pytest

from agentdistill.agent import THOUGHT_CODE, load_prompt
from agentdistill.errors import ConfigError
from agentdistill.types import SEARCH_TOOL, FinishReason, ToolText

_TASK = re.compile(r"^Task: ", re.MULTILINE)
_STEP = re.compile(r"^(Thought: .*?```<end_code>)(?:\nObservation:\n(.*?)(?=\n\nThought: ))?", re.MULTILINE | re.DOTALL)
WEATHER = ToolText("weather", "weather(city)", "tells the weather", "returns the weather of a city as text.")


@pytest.mark.parametrize("tools", [(SEARCH_TOOL,), (), (WEATHER,)])
def test_every_worked_example_prints_what_it_shows_and_answers(tools: tuple[ToolText, ...]) -> None:
    written = _TASK.split(load_prompt("teacher").render(tools).text)[1:]
    examples = [example for example in written if "search(" not in example]
    assert len(examples) >= 2
    for example in examples:
        answers: list[object] = []
        names: dict[str, object] = {"final_answer": answers.append}
        steps = _STEP.findall(example)
        assert len(steps) >= 2
        for text, shown in steps:
            turn = THOUGHT_CODE.read(text, FinishReason.STOP)
            assert turn.error is None
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(turn.code, names)
            assert printed.getvalue().strip() == shown.strip()
        assert len(answers) == 1


@pytest.mark.parametrize(
    ("name", "tools", "digest"),
    [
        ("teacher", (SEARCH_TOOL,), "597a9a58c352ef92e6c18ff389f237bffad6172d256d7f9b79cc947d19675f63"),
        ("teacher", (), "6effe15a29e224b6fb0f0b5feade20bfa1388ab91ed06cd0a99cc4e9d843edd1"),
        ("student", (SEARCH_TOOL,), "238f1a90062534c55f02d84f79f03f563ffbe95614d69683281875ba8f369660"),
        ("student", (), "fa5ee704bfee53628c0141ada3de23d1eb596ef8d92001f16ad85ab332ab48e9"),
    ],
)
def test_with_and_without_search_the_words_are_those_that_runs_were_made_with(
    name: str, tools: tuple[ToolText, ...], digest: str
) -> None:
    prompt = load_prompt(name).render(tools)
    assert hashlib.sha256(prompt.text.encode()).hexdigest() == digest
    assert prompt.version == f"{name}_v2-{digest[:8]}"


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_an_earlier_version_can_be_named_and_says_the_same_whatever_the_tools(name: str) -> None:
    old = load_prompt(f"{name}_v1").render((WEATHER,))
    assert old.text == load_prompt(name).render((SEARCH_TOOL,)).text
    assert old.version.startswith(f"{name}_v1-")


def test_further_tools_are_told_in_the_same_manner() -> None:
    student = load_prompt("student").render((SEARCH_TOOL, WEATHER)).text
    assert "Tools in the code: search(query) finds passages, weather(city) tells the weather, final_answer" in student
    teacher = load_prompt("teacher").render((SEARCH_TOOL, WEATHER)).text
    assert "Three functions are there beside ordinary Python:\n- search(query): returns" in teacher
    assert "\n- weather(city): returns the weather of a city as text.\n- final_answer(x)" in teacher


def test_without_a_retriever_nothing_speaks_of_search() -> None:
    assert all("search" not in load_prompt(name).render((WEATHER,)).text for name in ("teacher", "student"))


def test_a_prompt_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "terse.md"
    path.write_text("Answer.{% for tool in tools %} {{ tool.call }}{% endfor %}\n")
    prompt = load_prompt(str(path)).render((WEATHER,))
    assert prompt.text == "Answer. weather(city)"
    assert re.fullmatch(r"terse-[0-9a-f]{8}", prompt.version)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("techer", "expected a known prompt (teacher, cot, cot_rag, student; with _v1 a version of it), or the path"),
        ("techer", "; did you mean teacher?"),
        ("teacher_v9", "did you mean teacher"),
        ("student_code", "expected student, which speaks of search only where there is a retriever"),
        ("gone.md", "expected the path of a file that exists"),
    ],
)  # fmt: skip
def test_an_unknown_prompt_is_refused_with_the_near_names(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_prompt(name)


def test_a_file_that_is_no_template_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.md"
    path.write_text("{% for tool in tools %}")
    with pytest.raises(ConfigError, match="prompt 'broken': is no template over `tools`"):
        load_prompt(str(path)).render()

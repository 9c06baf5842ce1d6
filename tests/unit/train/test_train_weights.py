"""How much each character of a turn weighs: by its parts alone, whatever the turn looks like."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.weights import turn_spans
from agentdistill.types import Part, PartKind, check_parts

T, C, F = 0.25, 0.5, 2.0
CONFIG = TrainConfig(thought_weight=T, code_weight=C, final_weight=F)
OUTER = [kind for kind in PartKind if kind is not PartKind.ANSWER]
KINDS = {"r": "reasoning", "t": "thought", "c": "code", "l": "call", "a": "answer"}


def marked(text: str) -> tuple[str, tuple[Part, ...]]:
    """The turn that `«t:words»` marks the parts of."""
    content, opened, parts = "", [], []
    for token in re.findall(r"«\w:|»|[^«»]+", text):
        if token.startswith("«"):
            opened.append((PartKind(KINDS[token[1]]), len(content)))
        elif token == "»":
            kind, start = opened.pop()
            parts.append(Part(kind, start, len(content)))
        else:
            content += token
    return content, tuple(parts)


def weights(content: str, parts: tuple[Part, ...], prefix_chars: int = 0, config: TrainConfig = CONFIG) -> list[float]:
    """One weight a character."""
    found: list[float] = []
    for span in turn_spans(content, parts, prefix_chars, config):
        found.extend([span.weight] * (span.end - len(found)))
    return found


#: A turn with its parts marked, and the runs of equal weight that it falls into.
FORMS = {
    "thought and code": (
        "Thought: «t:I look.»\nCode:\n```py\n«c:print(1)»\n```<end_code>",
        [("Thought: I look.", T), ("\nCode:\n```py\nprint(1)\n```<end_code>", C)],
    ),
    "code that answers weighs as a whole": (
        "Thought: «t:Now.»\nCode:\n```py\n«c:x = 2\n«a:final_answer(x)»\nprint()»\n```",
        [("Thought: Now.", T), ("\nCode:\n```py\nx = 2\nfinal_answer(x)\nprint()\n```", F)],
    ),
    "an answer that the protocol does not read as one": (
        "Thought: «t:Now.»\n```py\n«c:print('final_answer(1)')»\n```",
        [("Thought: Now.", T), ("\n```py\nprint('final_answer(1)')\n```", C)],
    ),
    "code tags": (
        "«t:I look.»\n<code>«c:print(1)»</code>",
        [("I look.", T), ("\n<code>print(1)</code>", C)],
    ),
    "a fence of tildes": (
        "«t:I look.»\n~~~python\n«c:print(1)»\n~~~\n",
        [("I look.", T), ("\n~~~python\nprint(1)\n~~~\n", C)],
    ),
    "several blocks with words between them": (
        "«t:One.»\n```py\n«c:a = 1»\n```\n«t:Two.»\n```py\n«c:print(a)»\n```",
        [("One.", T), ("\n```py\na = 1", C), ("\n```\nTwo.", T), ("\n```py\nprint(a)\n```", C)],
    ),
    "several blocks, of which one answers": (
        "«t:One.»\n```py\n«c:a = 1»\n```\n```py\n«c:«a:final_answer(a)»»\n```",
        [("One.", T), ("\n```py\na = 1", C), ("\n```\n```py\nfinal_answer(a)\n```", F)],
    ),
    "code in front of the line that announces code": (
        "```py\n«c:a = 1»\n```\n«t:Thought: that was it.\nCode:»",
        [("```py\na = 1", C), ("\n```\nThought: that was it.\nCode:", T)],
    ),
    "a thought that speaks of code": (
        "Thought: «t:I write\nCode:\nfinal_answer(1)\nlater.»\nCode:\n```py\n«c:print(1)»\n```",
        [("Thought: I write\nCode:\nfinal_answer(1)\nlater.", T), ("\nCode:\n```py\nprint(1)\n```", C)],
    ),
    "reasoning that drafts code": (
        "«r:<think>\n```py\nfinal_answer(0)\n```\n</think>»\n«t:I look.»\n```py\n«c:print(1)»\n```",
        [("<think>\n```py\nfinal_answer(0)\n```\n</think>\nI look.", T), ("\n```py\nprint(1)\n```", C)],
    ),
    "code alone": ("```py\n«c:print(1)»\n```", [("```py\nprint(1)\n```", C)]),
    "a thought alone": ("Thought: «t:I wonder.»\n", [("Thought: I wonder.\n", T)]),
    "a tool call": (
        '«t:I ask.»\n<tool_call>«l:{"name": "search"}»</tool_call>',
        [("I ask.", T), ('\n<tool_call>{"name": "search"}</tool_call>', C)],
    ),
    "a tool call that answers": (
        '«l:{"name": "final_answer", "arguments": {"answer": «a:7»}}»',
        [('{"name": "final_answer", "arguments": {"answer": 7}}', F)],
    ),
    "an answer within a chain of thought": (
        "«t:Two and two. The answer is \\boxed{«a:4»}.»\n",
        [("Two and two. The answer is \\boxed{", T), ("4", F), ("}.\n", T)],
    ),
    "two answers within a thought": (
        "So «t:it is «a:4», no: «a:5»»",
        [("So it is ", T), ("4", F), (", no: ", T), ("5", F)],
    ),
    "no part at all": ("```py\nprint(1)\n```", [("```py\nprint(1)\n```", T)]),
    "no text at all": ("", []),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_character_of_a_turn_has_the_weight_of_its_part(name):
    text, runs = FORMS[name]
    content, parts = marked(text)

    assert "".join(words for words, _ in runs) == content
    assert check_parts(content, parts) is None
    assert weights(content, parts) == [weight for words, weight in runs for _ in words]


@pytest.mark.parametrize(("train_on_prefix", "of_prefix"), [(True, T), (False, 0.0)])
def test_the_first_thought_prefix_stands_before_every_part(train_on_prefix, of_prefix):
    content, parts = marked("Thought: «t:First, I look.»\n```py\n«c:print(1)»\n```")
    config = TrainConfig(thought_weight=T, code_weight=C, final_weight=F, train_on_prefix=train_on_prefix)
    prefix = len("Thought: First,")

    found = weights(content, parts, prefix, config)

    assert found[:prefix] == [of_prefix] * prefix
    assert found[prefix:] == weights(content, parts)[prefix:]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([Part(PartKind.CODE, 2, 11)], r"code \[2, 11\) does not lie within the message's 10 characters"),
        ([Part(PartKind.THOUGHT, -1, 3)], r"thought \[-1, 3\) does not lie within"),
        ([Part(PartKind.THOUGHT, 4, 3)], r"thought \[4, 3\) does not lie within"),
        ([Part(PartKind.CODE, 3, 8), Part(PartKind.THOUGHT, 0, 4)], r"thought \[0, 4\) and code \[3, 8\) overlap"),
        ([Part(PartKind.ANSWER, 1, 2)], r"answer \[1, 2\) lies in no thought, code or call"),
        ([Part(PartKind.CODE, 0, 4), Part(PartKind.ANSWER, 3, 5)], r"answer \[3, 5\) lies in no thought"),
    ],
)
def test_parts_that_cannot_be_are_named(parts, problem):
    assert re.search(problem, check_parts("x" * 10, parts))


@st.composite
def turns(draw):
    """Parts of any kind in any order with gaps between them, some of them empty, some with an answer inside."""
    content, parts = "", []
    for kind in draw(st.lists(st.sampled_from([None, *OUTER]), max_size=8)):
        words = draw(st.text("ab\n", max_size=6))
        start = len(content)
        content += words
        if kind is None:
            continue
        parts.append(Part(kind, start, len(content)))
        if draw(st.booleans()):
            first, last = sorted(draw(st.tuples(*[st.integers(start, len(content))] * 2)))
            parts.append(Part(PartKind.ANSWER, first, last))
    return content, tuple(draw(st.permutations(parts)))


def weight_of(place: int, parts: tuple[Part, ...]) -> float:
    """The rule, read one character at a time."""
    outer = sorted(
        (part for part in parts if part.kind is not PartKind.ANSWER), key=lambda part: (part.start, part.end)
    )
    answers = [part for part in parts if part.kind is PartKind.ANSWER]
    owner = next((part for part in outer if place < part.end), outer[-1] if outer else None)
    if owner is None:
        return T
    if owner.kind in (PartKind.THOUGHT, PartKind.REASONING):
        return F if any(answer.start <= place < answer.end for answer in answers) else T
    return F if any(owner.start <= answer.start and answer.end <= owner.end for answer in answers) else C


@given(turns())
def test_spans_give_each_character_the_weight_that_the_rule_gives_it(turn):
    content, parts = turn
    parts = tuple(part for part in parts if part.start < part.end)  # an empty one may stand where another's answer does

    assert check_parts(content, parts) is None
    assert weights(content, parts) == [weight_of(place, parts) for place in range(len(content))]


@given(turns(), st.integers(0, 20))
def test_spans_cover_the_turn_and_equal_weights_weigh_nothing_else(turn, prefix_chars):
    content, parts = turn

    assert weights(content, parts, prefix_chars, TrainConfig()) == [1.0] * len(content)

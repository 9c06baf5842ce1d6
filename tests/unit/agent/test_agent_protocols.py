"""Where the parts of a turn stand, and how a protocol of one's own drives an episode."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentdistill.agent import CHAIN_OF_THOUGHT, THOUGHT_CODE, EpisodeSettings, Turn, extract_answer, run_episode
from agentdistill.config import AgentConfig
from agentdistill.types import (
    ActionError,
    Completion,
    FinishReason,
    Kind,
    Message,
    Outcome,
    Part,
    PartKind,
    Question,
    Request,
    Role,
    StopReason,
    check_parts,
)

_WORDS = [
    "Thought: ", "I add", "\n", "\n\n", "Code:", "```py\n", "```", "\n```", "<end_code>", "x = 1", "print(x)",
    "final_answer(3)", "final_answer('ü',\n)", "Observation:", "```json\n", "<code>", "</code>", "<think>", "</think>",
    " ", "é", "\\boxed{7}", "Answer: **4**.", "\x0c",
]  # fmt: skip
WRITTEN = st.lists(st.sampled_from(_WORDS), max_size=14).map("".join)
PROTOCOLS = st.sampled_from([THOUGHT_CODE, CHAIN_OF_THOUGHT])


def spans(turn: Turn, kind: PartKind) -> list[tuple[int, int]]:
    return [(part.start, part.end) for part in turn.parts if part.kind is kind]


@given(PROTOCOLS, WRITTEN, st.sampled_from(FinishReason))
def test_parts_lie_within_the_text_in_order_and_none_overlap_but_an_answer(protocol, written, reason) -> None:
    turn = protocol.read(written, reason)
    assert written.startswith(turn.text)
    assert all(0 <= part.start <= part.end <= len(turn.text) for part in turn.parts)
    others = [part for part in turn.parts if part.kind is not PartKind.ANSWER]
    assert all(one.end <= other.start for one, other in itertools.pairwise(others))


@given(WRITTEN, st.sampled_from(FinishReason))
@example("```py\nfinal_answer('ü',\n)\n```\n```py\nx = 1\n```", FinishReason.STOP)
def test_code_is_its_parts_with_a_blank_line_between_and_its_answer_is_a_call(written, reason) -> None:
    turn = THOUGHT_CODE.read(written, reason)
    assert turn.code == turn.action == "\n\n".join(turn.text[start:end] for start, end in spans(turn, PartKind.CODE))
    assert bool(turn.code) != bool(turn.error)
    for start, end in spans(turn, PartKind.ANSWER):
        assert turn.text[start:end].startswith("final_answer(")
        assert turn.text[start:end].endswith(")")
        assert any(opened <= start and end <= closed for opened, closed in spans(turn, PartKind.CODE))


@given(WRITTEN)
def test_the_answer_of_a_chain_of_thought_is_a_part_of_it(written) -> None:
    turn = CHAIN_OF_THOUGHT.read(written)
    assert turn.ends
    assert (turn.text, turn.answer) == (written, extract_answer(written))


def test_a_turn_is_taken_apart_where_it_stands() -> None:
    text = "<think>Hm.</think>\nThought: I add.\nCode:\n```py\nx = 1 + 1\nfinal_answer(x)\n```<end_code> and more"
    turn = THOUGHT_CODE.read(text)
    assert [(str(part.kind), turn.text[part.start : part.end]) for part in turn.parts] == [
        ("reasoning", "<think>Hm.</think>"),
        ("thought", "I add."),
        ("code", "x = 1 + 1\nfinal_answer(x)"),
        ("answer", "final_answer(x)"),
    ]
    assert turn.text == text.removesuffix(" and more")


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("final_answer(1)\nfinal_answer(2)", "final_answer(2)"),
        ("if x:\n    final_answer(f(x)[0])", "final_answer(f(x)[0])"),
        ("é = 'ü'; final_answer('é')  # done", "final_answer('é')"),
        ("s = 'final_answer(1)'", None),
        ("final_answer(1", None),  # no Python, so nobody can say where it ends
    ],
)
def test_the_answer_is_the_last_call_that_gives_one(code: str, answer: str | None) -> None:
    assert THOUGHT_CODE.read(f"Thought: t\nCode:\n```py\n{code}\n```").answer == answer


class Moves:
    """A protocol of the test's own: the whole turn is a call, and what came of it comes back as it is."""

    name = "moves"
    stop = ("\n",)
    prompt = "student"

    def read(self, text: str, finish_reason: FinishReason) -> Turn:
        if not text.strip():
            return Turn(text, error=ActionError.EMPTY, error_message="no move")
        return Turn(text, (Part(PartKind.CALL, 0, len(text.rstrip())),))

    def observe(self, turn: Turn, outcome: Outcome | None, max_chars: int) -> Message | None:
        if outcome is None:
            return Message(Role.SYSTEM, "Say where to go.")
        return None if outcome.is_final else Message(Role.USER, outcome.stdout)


MOVES = Moves()


class Corridor:
    """Three steps to the right lead out."""

    def __init__(self) -> None:
        self.place = 0

    async def reset(self, question: Question) -> str:
        return "You stand in a corridor."

    async def step(self, action: str) -> Outcome:
        self.place += {"right": 1, "left": -1}.get(action, 0)
        return Outcome(f"place {self.place}", final_answer="out" if self.place == 3 else None, is_final=self.place == 3)

    async def close(self) -> None: ...


async def test_a_protocol_of_ones_own_reads_turns_and_answers_them() -> None:
    written = iter(["right\n", " ", "left", "right", "right", "right"])
    requests: list[Request] = []

    async def engine(request: Request) -> list[Completion]:
        requests.append(request)
        return [Completion(next(written), FinishReason.STOP)]

    agent = AgentConfig(protocol="test_agent_protocols:MOVES", prompt=None, max_steps=9)
    question = Question("q", "Get out.", ("out",), Kind.FACTUAL, "test")
    trajectory = await run_episode(question, engine, Corridor(), EpisodeSettings(run_id="run", agent=agent))
    assert (trajectory.answer, trajectory.stop_reason) == ("out", StopReason.FINAL_ANSWER)
    assert trajectory.protocol == "test_agent_protocols:MOVES"
    assert requests[0].sampling.stop == ("\n",)
    assert requests[0].messages[1].content == "You stand in a corridor.\n\nGet out."
    assert [step.action for step in trajectory.steps] == ["right", "", "left", "right", "right", "right"]
    assert [step.observation for step in trajectory.steps[:3]] == ["place 1", "Say where to go.", "place 0"]
    assert trajectory.messages[2:6] == (
        Message(Role.ASSISTANT, "right\n"),
        Message(Role.USER, "place 1"),
        Message(Role.ASSISTANT, " "),
        Message(Role.SYSTEM, "Say where to go."),
    )
    assert trajectory.steps[1].error is ActionError.EMPTY
    assert trajectory.repeated  # it went to the first place twice


LOOPS = [
    "\n", "answer\n", "answer" + "\n" * 50, "a```py\n", "<code>", "<think>a</think>\n", "```\nx\n```\n", "~~~\n",
    "<think>a</think>\n```py\nx\n```\n",
]  # fmt: skip


@pytest.mark.parametrize("written", LOOPS)
@pytest.mark.parametrize("protocol", [THOUGHT_CODE, CHAIN_OF_THOUGHT], ids=lambda protocol: protocol.name)
def test_a_model_that_repeats_itself_for_a_million_characters_is_read_in_seconds(protocol, written) -> None:
    """Each of these took minutes to hours where the reading was quadratic."""
    turn = protocol.read(written * (1_000_000 // len(written)) + "<think>", FinishReason.LENGTH)
    assert turn.error is ActionError.UNFINISHED or turn.code


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("Answer:\n\n 42", "42"),
        ("Answer: 5\nAnswer: \n", "5"),
        ("The final answer is **7**.", "7"),
        ("Answer:  ", None),
    ],
)
def test_an_answer_line_gives_what_stands_on_it_and_blanks_are_no_answer(written, answer) -> None:
    assert extract_answer(written) == answer


@pytest.mark.parametrize("protocol", [THOUGHT_CODE, CHAIN_OF_THOUGHT], ids=lambda protocol: protocol.name)
@given(written=WRITTEN)
@example(written="\\boxed{3\n<think>no</think>\n7}")
def test_training_can_weigh_every_turn_that_is_read(protocol, written) -> None:
    turn = protocol.read(written)
    assert check_parts(turn.text, turn.parts) is None


class Misread(Moves):
    """Reads a turn as whatever it was made with."""

    def __init__(self, read: object) -> None:
        self._read = read

    def read(self, text: str, finish_reason: FinishReason) -> Turn:
        return self._read  # type: ignore[return-value]


MISREAD = {
    "NOTHING": (None, "TypeError: the protocol moves read a NoneType, expected a Turn with its text"),
    "WORDS": ("left", "TypeError: the protocol moves read a str, expected a Turn"),
    "TEXTLESS": (Turn(None), "TypeError: the protocol moves read a Turn, expected a Turn with its text"),
    "OUTSIDE": (
        Turn("left", (Part(PartKind.CALL, 0, 9),)),
        "ValueError: the protocol moves read a turn whose call [0, 9) does not lie within the message's 4 characters",
    ),
    "DOUBLE": (
        Turn("left", (Part(PartKind.THOUGHT, 0, 3), Part(PartKind.CALL, 2, 4))),
        "ValueError: the protocol moves read a turn whose thought [0, 3) and call [2, 4) overlap",
    ),
}
NOTHING, WORDS, TEXTLESS, OUTSIDE, DOUBLE = (Misread(read) for read, _ in MISREAD.values())


@pytest.mark.parametrize("name", MISREAD)
async def test_what_a_protocol_misreads_is_a_failure_with_its_reason(name: str) -> None:
    async def engine(request: Request) -> list[Completion]:
        return [Completion("left", FinishReason.STOP)]

    agent = AgentConfig(protocol=f"test_agent_protocols:{name}", prompt=None)
    question = Question("q", "Get out.", ("out",), Kind.FACTUAL, "test")
    trajectory = await run_episode(question, engine, Corridor(), EpisodeSettings(run_id="run", agent=agent))
    assert trajectory.stop_reason is StopReason.INTERNAL_ERROR
    assert trajectory.error.startswith(MISREAD[name][1])

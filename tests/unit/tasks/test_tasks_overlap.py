import pytest

from agentdistill.errors import DataError
from agentdistill.tasks import find_overlap, without_overlap
from agentdistill.tasks.world import questions
from agentdistill.types import Kind, Question

OTHERS = [
    f"What is the {word} of river number {number}?" for number, word in enumerate(("length", "depth", "name") * 10)
]


def asked(*texts, prefix="q"):
    return [Question(f"{prefix}{i}", text, ("1",), Kind.MATH, "file") for i, text in enumerate((*texts, *OTHERS))]


def pairs(train, test):
    found = find_overlap(asked(train, prefix="train")[:1], asked(test, prefix="test"))
    return [(pair.train_id, pair.test_id, pair.exact) for pair in found]


@pytest.mark.parametrize(
    "text",
    ["How many integers are in the set?", "how many  integers are in\nthe set", "HOW MANY INTEGERS ARE IN THE SET?"],
)
def test_same_words_are_an_exact_overlap(text):
    assert pairs(text, "How many integers are in the set?") == [("train0", "test0", True)]


def test_slightly_other_words_are_a_near_overlap():
    train = "How many integers are there in the solution set of $|x-2| \\leq 5.6$?"
    test = "How many integers are in the solution set of $|x-2|\\leq5.6$ ?"
    assert pairs(train, test) == [("train0", "test0", False)]


def test_other_numbers_make_another_question():
    text = "How many ways are there to put {} balls in {} boxes if the balls are not distinguishable?"
    assert pairs(text.format(5, 3), text.format(5, 2)) == []


def test_other_names_make_another_question():
    text = "In which year was the author of {} born in the city of his parents?"
    assert pairs(text.format("Faust"), text.format("Hamlet")) == []


def test_splits_of_the_built_in_task_do_not_overlap():
    assert find_overlap(questions("train"), questions("test")) == []
    assert find_overlap(questions("train", 160), questions("test", 48)) == []


def test_overlap_is_refused_with_the_pairs():
    train, test = asked("Who wrote Faust?", prefix="train"), asked("Who wrote Faust?", prefix="test")[:1]
    with pytest.raises(
        DataError, match="1 of 31 training questions stand in a test set \\(train0 is the same as test0"
    ):
        without_overlap(train, test)


def test_overlap_is_dropped_where_that_is_asked_for():
    train, test = asked("Who wrote Faust?", prefix="train"), asked("Who wrote Faust?", prefix="test")[:1]
    assert without_overlap(train, test, "drop") == train[1:]


def test_no_overlap_leaves_the_questions_as_they_are():
    train = asked("Who wrote Faust?", prefix="train")
    assert without_overlap(train, [Question("t", "Who wrote Hamlet?", ("1",), Kind.FACTUAL, "file")]) == train


def test_nothing_overlaps_with_nothing():
    assert find_overlap([], asked("Who?")) == find_overlap(asked("Who?"), []) == []

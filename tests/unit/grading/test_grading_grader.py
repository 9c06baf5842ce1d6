import asyncio
import random
import subprocess
import sys
import threading

import psutil
import pytest

from agentdistill.config import GradingConfig
from agentdistill.errors import DataError, GradingError
from agentdistill.grading import Grader, GradeRequest, grade
from agentdistill.types import Kind, Question


def math_request(gold, prediction):
    return GradeRequest(Kind.MATH, (gold,), prediction)


@pytest.fixture(scope="module")
def grader():
    with Grader(GradingConfig(workers=2, limit_s=1.0)) as grader:
        yield grader


def test_math_answer_in_another_notation_is_correct(grader):
    found = grader.grade(math_request("\\frac{\\sqrt{3}}{3}", "1/sqrt(3)"))
    assert (found.correct, found.score, found.grader) == (True, 1.0, "math-2")


def test_any_accepted_answer_will_do(grader):
    assert grader.grade(GradeRequest(Kind.MATH, ("7", "\\sqrt{5}"), "5**(1/2)")).correct


def test_factual_answer_scores_f1_and_is_correct_only_on_exact_match(grader):
    found = grader.grade(GradeRequest(Kind.FACTUAL, ("President Richard Nixon", "Richard Nixon"), "Nixon"))
    assert not found.correct
    assert found.score == pytest.approx(2 / 3)
    assert grader.grade(
        GradeRequest(Kind.FACTUAL, ("President Richard Nixon", "Richard Nixon"), "richard nixon.")
    ).correct


def test_no_answer_is_wrong(grader):
    for prediction in (None, "", "  \n"):
        for kind, gold in ((Kind.MATH, "0"), (Kind.FACTUAL, "no")):
            found = grader.grade(GradeRequest(kind, (gold,), prediction))
            assert (found.correct, found.score) == (False, 0.0)


@pytest.mark.parametrize("gold", [(), ("",), (" ", "")])
def test_missing_gold_is_refused_with_the_question_named(grader, gold):
    with pytest.raises(DataError, match=r"'How many\?'.*no gold answer, expected at least one"):
        grader.grade(GradeRequest(Kind.MATH, gold, "5", question="How many?"))


@pytest.mark.parametrize("gold", [(5,), ("5", None), ({"a": 1},)])
def test_gold_of_another_type_is_refused(grader, gold):
    with pytest.raises(DataError, match="expected a tuple of texts"):
        grader.grade(GradeRequest(Kind.MATH, gold, "5"))


def test_gold_that_is_one_text_is_refused():
    with pytest.raises(DataError, match="expected a sequence of texts"):
        grade(Kind.MATH, "15", "1")


def test_prediction_of_another_type_is_refused(grader):
    with pytest.raises(DataError, match="the prediction is a float"):
        grader.grade(GradeRequest(Kind.MATH, ("5",), 5.0))


MARKDOWN = [
    " **a" * 250_000,
    "```\n" * 250_000,
    "\n" * 1_000_000 + "x",
    "answer\n" * 140_000,
    "\\boxed{6}   \n" * 70_000,
]


@pytest.mark.parametrize("kind", list(Kind))
def test_prediction_of_a_megabyte_is_wrong(grader, kind):
    for text in ("9" * 1_000_000, "a " * 500_000, "\\boxed{" * 150_000, "\\frac" * 200_000, "<b>" * 300_000, *MARKDOWN):
        assert not grader.grade(GradeRequest(kind, ("5",), text)).correct


def test_box_at_the_end_of_a_megabyte_is_found(grader):
    assert grader.grade(math_request("5", "so it goes. " * 90_000 + "\\boxed{5}")).correct


def test_markup_is_text(grader):
    assert grader.grade(GradeRequest(Kind.FACTUAL, ("<script>alert(1)</script>",), "<script>alert(1)</script>")).correct
    assert not grader.grade(math_request("5", "<script>5</script>")).correct


def test_code_in_an_answer_is_not_run(grader, tmp_path):
    target = tmp_path / "made"
    for text in (f"__import__('pathlib').Path('{target}').touch()", f"open('{target}','w')", f"[open('{target}','w')]"):
        grader.grade(math_request("5", text))
    assert not target.exists()


@pytest.mark.slow
def test_expression_over_the_limit_is_wrong_and_says_so(grader):
    before = grader.counts.over_limit
    endless = "e^{e^{e^{e^{e^{e^{e}}}}}}"
    grades = grader.grade_many([math_request("\\sqrt{5}", endless), math_request("\\sqrt{5}", "sqrt(5)")])
    assert [found.correct for found in grades] == [False, True]
    assert grades[0].grader == "math-2 (over the limit)"
    assert grader.counts.over_limit == before + 1


@pytest.mark.parametrize(
    "text", ["10^{10^{10}}", "9**9**9**9", "factorial(factorial(30))", "\\binom{10^{9}}{5*10^{8}}"]
)
def test_number_without_end_is_not_computed(grader, text):
    assert grader.grade(math_request("\\sqrt{5}", text)).grader == "math-2 (over the limit)"


@pytest.mark.slow
def test_worker_that_is_killed_is_replaced():
    requests = [math_request("\\sqrt{5}", f"sqrt({number})") for number in range(300)]
    with Grader(GradingConfig(workers=1)) as grader:
        before = set(psutil.Process().children())
        grader.grade_many(requests[:2])
        [worker] = set(psutil.Process().children()) - before
        worker.kill()
        assert [found.correct for found in grader.grade_many(requests)] == [number == 5 for number in range(300)]


@pytest.mark.slow
def test_closed_grader_leaves_no_process():
    before = set(psutil.Process().children(recursive=True))
    with Grader(GradingConfig(workers=1)) as grader:
        grader.grade_many([math_request("\\sqrt{5}", f"sqrt({number})") for number in range(20)])
        started = set(psutil.Process().children(recursive=True)) - before
    psutil.wait_procs(started, timeout=60)
    assert started
    assert not set(psutil.Process().children(recursive=True)) - before


def test_closing_ends_a_comparison_that_goes_on():
    endless = math_request("\\sqrt{5}", "e^{e^{e^{e^{e^{e^{e}}}}}}")
    grader = Grader(GradingConfig(workers=1, limit_s=3_600))
    grader.grade(math_request("\\sqrt{5}", "sqrt(5)"))
    raised = []

    def work():
        with pytest.raises(GradingError) as caught:
            grader.grade(endless)
        raised.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    grader.close()
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert [str(error) for error in raised] == ["the grader was closed while it compared"]


def test_a_closed_grader_says_so():
    grader = Grader(GradingConfig(workers=1))
    grader.close()
    with pytest.raises(GradingError, match="was closed"):
        grader.grade(math_request("\\sqrt{5}", "sqrt(5)"))


def test_grades_depend_on_neither_order_nor_workers(grader):
    golds = [
        "\\sqrt{5}",
        "x^2 - 1",
        "(1, 2)",
        "\\frac{\\pi}{6}",
        "y = 2x + 3",
        "[0, 1)",
        "\\{1, 2\\}",
        "3 \\pm \\sqrt{2}",
    ]
    requests = [
        math_request(gold, prediction) for gold in golds for prediction in [*golds, "(x-1)(x+1)", "pi/6", "2;1"]
    ]
    shuffled = random.Random(0).sample(range(len(requests)), len(requests))
    with Grader(GradingConfig(workers=1)) as alone:
        first = alone.grade_many(requests)
    again = grader.grade_many([requests[index] for index in shuffled])
    assert [first[index] for index in shuffled] == again


async def test_grading_leaves_the_event_loop_free(grader):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    grades = await grader.grade_many_async([math_request("\\sqrt{7}", f"sqrt({n})") for n in range(50)])
    ticking.cancel()
    assert sum(found.correct for found in grades) == 1
    assert ticks > 10


def test_threads_share_a_grader(grader):
    results = {}

    def work(name):
        grades = grader.grade_many([math_request("\\sqrt{4}", "2"), math_request("x", "y")])
        results[name] = [found.correct for found in grades]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: [True, False] for name in range(4)}


def test_request_is_made_from_a_question():
    question = Question("1", "How many?", ("5",), Kind.MATH, "file")
    assert GradeRequest.for_question(question, "5") == GradeRequest(Kind.MATH, ("5",), "5", "How many?")


def test_import_brings_no_algebra():
    heavy = {"sympy", "math_verify", "torch", "ray"}
    code = f"import sys, agentdistill.grading, agentdistill.tasks; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

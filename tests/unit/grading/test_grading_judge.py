import json

import pytest

from agentdistill.config import JudgeConfig
from agentdistill.errors import EngineError, GradingError, PromptTooLongError
from agentdistill.grading import Grader, GradeRequest, Judge, JudgeSettings
from agentdistill.grading.judge import read_verdict
from agentdistill.types import Completion, FinishReason, Kind

SETTINGS = JudgeSettings("test-model", JudgeConfig(backoff_s=0.0))


class ScriptedEngine:
    """Answers each case by its prediction; counts what it was asked."""

    def __init__(self, replies):
        self.replies = {prediction: list(texts) for prediction, texts in replies.items()}
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        reply = self.replies[json.loads(request.messages[-1].content)["prediction"]].pop(0)
        if isinstance(reply, Exception):
            raise reply
        return [Completion(reply, FinishReason.STOP)]


def factual(prediction, gold="Richard Nixon", question="Who was it?"):
    return GradeRequest(Kind.FACTUAL, (gold,), prediction, question)


RIGHT, WRONG = '{"correct": true}', '{"correct": false}'


async def test_verdicts_become_grades():
    engine = ScriptedEngine({"R. Nixon": [RIGHT], "a president": [WRONG]})
    judge = Judge(engine, SETTINGS)
    with Grader(judge=judge) as grader:
        grades = await grader.grade_many_async([factual("R. Nixon"), factual("a president")])
    assert [(grade.score, grade.correct, grade.grader) for grade in grades] == [
        (1.0, True, "judge-1:test-model"),
        (0.0, False, "judge-1:test-model"),
    ]


async def test_mathematics_and_empty_answers_are_not_judged():
    engine = ScriptedEngine({})
    with Grader(judge=Judge(engine, SETTINGS)) as grader:
        grades = await grader.grade_many_async([GradeRequest(Kind.MATH, ("5",), "5.0"), factual(""), factual(None)])
    assert [grade.correct for grade in grades] == [True, False, False]
    assert engine.requests == []


async def test_nonsense_is_asked_again_with_another_sampling():
    engine = ScriptedEngine({"Nixon": ["I think so", "{correct: yes}", RIGHT]})
    judge = Judge(engine, SETTINGS)
    assert await judge.judge_many([factual("Nixon")]) == [True]
    assert judge.counts.retries == 2
    assert [request.sampling.temperature for request in engine.requests] == [0.0, 0.7, 0.7]
    assert len({request.sampling.seed for request in engine.requests}) == 3


async def test_judge_that_is_down_leaves_the_answer_ungraded_and_counts_it():
    engine = ScriptedEngine({"Nixon": [EngineError("connection refused")] * 3, "Ford": [WRONG]})
    judge = Judge(engine, SETTINGS)
    with Grader(judge=judge) as grader:
        grades = await grader.grade_many_async([factual("Nixon"), factual("Ford")])
    assert grades[0] is None
    assert grades[1].correct is False
    assert (judge.counts.failed, judge.counts.judged) == (1, 1)
    assert judge.counts.reasons == {"EngineError: connection refused": 3}


def test_single_answer_without_a_verdict_raises():
    engine = ScriptedEngine({"Nixon": ["nonsense"] * 3})
    with Grader(judge=Judge(engine, SETTINGS)) as grader, pytest.raises(GradingError, match="stays ungraded"):
        grader.grade(factual("Nixon"))


async def test_failed_answer_is_asked_again_the_next_time():
    engine = ScriptedEngine({"Nixon": ["nonsense"] * 3 + [RIGHT]})
    judge = Judge(engine, SETTINGS)
    assert await judge.judge_many([factual("Nixon")]) == [None]
    assert await judge.judge_many([factual("Nixon")]) == [True]


async def test_prompt_that_is_too_long_is_not_asked_again():
    engine = ScriptedEngine({"Nixon": [PromptTooLongError("4,097 tokens")]})
    judge = Judge(engine, SETTINGS)
    assert await judge.judge_many([factual("Nixon")]) == [None]
    assert judge.counts.retries == 0


async def test_equal_answers_are_asked_once_and_verdicts_outlive_the_judge(tmp_path):
    settings = JudgeSettings("test-model", JudgeConfig(backoff_s=0.0, cache=str(tmp_path / "verdicts")))
    first = Judge(ScriptedEngine({"Nixon": [RIGHT]}), settings)
    assert await first.judge_many([factual("Nixon"), factual("Nixon")]) == [True, True]
    second = Judge(ScriptedEngine({}), settings)
    assert await second.judge_many([factual("Nixon")]) == [True]
    assert second.counts.from_cache == 1


async def test_another_question_model_or_gold_is_another_verdict(tmp_path):
    settings = JudgeSettings("test-model", JudgeConfig(backoff_s=0.0, cache=str(tmp_path / "verdicts")))
    engine = ScriptedEngine({"Nixon": [RIGHT, WRONG, WRONG]})
    await Judge(engine, settings).judge_many([factual("Nixon")])
    await Judge(engine, settings).judge_many([factual("Nixon", question="Who else?")])
    await Judge(engine, settings).judge_many([factual("Nixon", gold="Gerald Ford")])
    other = JudgeSettings("other-model", settings.config)
    engine.replies["Nixon"] = [WRONG]
    assert await Judge(engine, other).judge_many([factual("Nixon")]) == [False]
    assert len(engine.requests) == 4


async def test_agreement_with_exact_match_is_counted():
    engine = ScriptedEngine({"Richard Nixon": [RIGHT], "Nixon": [RIGHT], "Ford": [WRONG], "richard nixon": [WRONG]})
    judge = Judge(engine, SETTINGS)
    await judge.judge_many([factual(text) for text in ("Richard Nixon", "Nixon", "Ford", "richard nixon")])
    counts = judge.counts
    assert (counts.agree, counts.only_judge, counts.only_exact_match) == (2, 1, 1)
    assert counts.agreement == pytest.approx(0.5)


async def test_long_prediction_is_cut_before_the_judge_reads_it():
    engine = ScriptedEngine({"a" * 2_000: [WRONG]})
    assert await Judge(engine, SETTINGS).judge_many([factual("a" * 1_000_000)]) == [False]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"correct": true}', True),
        ('```json\n{"correct": false}\n```', False),
        ('{"correct": false} no wait: {"correct": true}', True),
        ('{"reason": "same person", "correct": true}', True),
        ('{"correct": "true"}', None),
        ('{"correct": 1}', None),
        ("[true]", None),
        ("", None),
        ("{" * 10_000, None),
    ],
)
def test_verdict_is_read_from_json_alone(text, verdict):
    assert read_verdict(text) is verdict

"""Mathematical grading: speed, what hostile answers cost, correctness, and whether grades repeat.

    python benchmarks/grading.py [--quick] [--json]

The peer is math-verify as its README calls it (`verify(parse(gold), parse(prediction))`): in one process, in a fresh
process per comparison (what "in its own process" costs when done plainly), and on the same tables. Golds are those of
the published benchmarks where AGENTDISTILL_DATA names their folder, and made here where it does not.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_REPOSITORY), *(str(_REPOSITORY / "tests" / room) for room in ("helpers", "unit/grading"))]

from claims import Claim, arguments, at_most, finish
from grading_rules import RIGHT as RULES_RIGHT
from grading_rules import WRONG as RULES_WRONG
from test_grading_pairs import RIGHT, WRONG

from agentdistill.config import GradingConfig
from agentdistill.config.questions import TaskConfig
from agentdistill.grading import Grader, GradeRequest
from agentdistill.grading.mathematics.quick import quick_verdict
from agentdistill.tasks import BENCHMARKS, load_questions
from agentdistill.tasks.load import DATA_VARIABLE
from agentdistill.types import Kind

WORKERS = 2
LIMIT_S = 3.0
_PEER_PROCESS = """
import sys
from math_verify import parse, verify
print(verify(parse(f"${sys.argv[1]}$"), parse(f"${sys.argv[2]}$")))
"""
_GIVE_UP_S = 20.0

Pair = tuple[str, str]


def main() -> int:
    options = arguments(__doc__, quick="a twentieth of the comparisons, one repeat").parse_args()
    num_pairs, repeats = (5_000, 1) if options.quick else (100_000, 3)
    golds, source = gold_answers()
    pairs = make_pairs(golds, num_pairs)
    share = sum(quick_verdict(*pair) is None for pair in pairs[:2_000]) / len(pairs[:2_000])
    claims = [
        speed(f"{num_pairs:,} comparisons", pairs, repeats),
        speed(f"{num_pairs // 10:,} that need algebra", hard_pairs(golds, num_pairs // 10), repeats),
        fresh_process(pairs, 5 if options.quick else 20),
        hostile(pairs[:5_000], repeats),
        one_hostile(),
        table(),
        gold_itself(golds, 300 if options.quick else 2_000),
        repeatable(pairs[:5_000]),
    ]
    facts = {"golds": source, "comparisons": num_pairs, "share_needing_algebra": round(share, 3), "workers": WORKERS}
    return finish(claims, options.json, "grading", facts)


def gold_answers() -> tuple[list[str], str]:
    """Mathematical gold answers, and where they come from."""
    if not os.environ.get(DATA_VARIABLE):
        return made_answers(1_000), "answers made here"
    math = [name for name, entry in BENCHMARKS.items() if entry.kind is Kind.MATH]
    golds = [question.answers[0] for name in math for question in load_questions(TaskConfig(task=name))]
    return golds, f"the gold answers of {len(math)} published sets"


def made_answers(number: int) -> list[str]:
    """Answers of the forms that benchmarks hold, deterministic."""
    rng = random.Random(0)
    a, b, c = (lambda: rng.randint(2, 99), lambda: rng.randint(2, 99), lambda: rng.randint(2, 9))
    forms: list[Callable[[], str]] = [
        lambda: str(rng.randint(-500, 10**6)),
        lambda: f"{a() / 8}",
        lambda: rf"\frac{{{a()}}}{{{b()}}}",
        lambda: rf"{c()}\sqrt{{{a()}}}",
        lambda: rf"\frac{{{a()}\pi}}{{{c()}}}",
        lambda: rf"({a()}, {b()})",
        lambda: rf"[-{a()}, {b()})",
        lambda: rf"{a()} + {b()}i",
        lambda: rf"{c()}x^2 - {a()}x + {b()}",
        lambda: rf"\begin{{pmatrix}} {a()} \\ -{b()} \end{{pmatrix}}",
    ]
    return list(dict.fromkeys(forms[index % len(forms)]() for index in range(2 * number)))[:number]


def make_pairs(golds: list[str], number: int) -> list[Pair]:
    """Different pairs: a quarter is the gold answer in another dress, the others are wrong."""
    rng = random.Random(1)
    pairs: dict[Pair, None] = {}
    while len(pairs) < number:
        gold = rng.choice(golds)
        pairs[gold, rng.choice(dresses(gold)) if rng.random() < 0.25 else wrong(gold, golds, rng)] = None
    return list(pairs)


def hard_pairs(golds: list[str], number: int) -> list[Pair]:
    """Different pairs that no shortcut decides."""
    candidates = make_pairs([gold for gold in golds if "\\" in gold or "x" in gold], 2 * number)
    return [pair for pair in candidates if quick_verdict(*pair) is None][:number]


def dresses(gold: str) -> list[str]:
    """The gold answer as models write it: in a box, in a sentence, as Python."""
    code = re.sub(r"\\d?frac\{([^{}]+)\}\{([^{}]+)\}", r"((\1)/(\2))", gold)
    code = re.sub(r"(\d)?\\sqrt\{([^{}]+)\}", lambda m: f"{m[1]}*sqrt({m[2]})" if m[1] else f"sqrt({m[2]})", code)
    code = code.replace("\\pi", "pi").replace("\\left", "").replace("\\right", "").replace("\\infty", "oo")
    spaced = gold.replace(",", ", ").replace("+", " + ")
    return [
        f"${gold}$",
        f"\\boxed{{{gold}}}",
        f"The answer is ${gold}$.",
        gold.replace("\\frac", "\\dfrac"),
        code,
        spaced,
    ]


def wrong(gold: str, golds: list[str], rng: random.Random) -> str:
    other = rng.choice(golds)
    digits = [place for place, letter in enumerate(gold) if letter.isdigit()]
    if not digits or rng.random() < 0.6:
        return other
    place = rng.choice(digits)
    return gold[:place] + str((int(gold[place]) + rng.randint(1, 9)) % 10) + gold[place + 1 :]


def hostile_answers(number: int) -> list[str]:
    """Answers that are never to be computed: towers, endless macros, nestings, megabytes."""
    forms: list[Callable[[int], str]] = [
        lambda i: f"10^{{10^{{{10 + i}}}}}",
        lambda i: "\\frac" * (200 + i),
        lambda i: "\\frac{1}{" * 300 + "2" + "}" * (300 + i),
        lambda i: "7" * (1_000_000 + i),
        lambda i: "x + " * (250_000 + i),
        lambda i: "e^{" * 7 + str(i + 2) + "}" * 7,
        lambda i: f"factorial(factorial({20 + i}))",
        lambda i: "sqrt(" * (200 + i) + "2" + ")" * (200 + i),
        lambda i: f"(x + 1)^{{{99_999 + i}}}",
        lambda i: "(" * (1_000 + i),
    ]
    return [forms[index % len(forms)](index // len(forms)) for index in range(number)]


def requests(pairs: list[Pair]) -> list[GradeRequest]:
    return [GradeRequest(Kind.MATH, (gold,), prediction) for gold, prediction in pairs]


def timed(pairs: list[Pair]) -> tuple[float, list[bool]]:
    """Seconds for all comparisons in a new grader, its start included, and the verdicts."""
    with Grader(GradingConfig(WORKERS, LIMIT_S)) as grader:
        start = time.perf_counter()
        grades = grader.grade_many(requests(pairs))
        return time.perf_counter() - start, [grade is not None and grade.correct for grade in grades]


def peer_verdict(gold: str, prediction: str) -> bool:
    from math_verify import parse, verify

    return bool(verify(parse(f"${gold}$"), parse(f"${prediction}$")))


def speed(name: str, pairs: list[Pair], repeats: int) -> Claim:
    """All comparisons; the peer on a sample in one process, scaled to as many processes as we have workers."""
    seconds = [timed(pairs)[0] for _ in range(repeats)]
    sample = random.Random(2).sample(pairs, min(len(pairs), 1_000))
    start = time.perf_counter()
    for pair in sample:
        peer_verdict(*pair)
    peer = (time.perf_counter() - start) / len(sample) * len(pairs) / WORKERS
    bound = 300.0 * len(pairs) / 100_000
    return at_most(name, seconds, bound, "s", [peer])


def fresh_process(pairs: list[Pair], number: int) -> Claim:
    """One comparison under a time limit of its own, against a fresh process for each."""
    sample = [pair for pair in pairs if quick_verdict(*pair) is None][: 100 * number]
    ours = timed(sample)[0] / len(sample)
    times = []
    for gold, prediction in sample[:number]:
        start = time.perf_counter()
        command = [sys.executable, "-c", _PEER_PROCESS, gold, prediction]
        subprocess.run(command, capture_output=True, check=False, timeout=_GIVE_UP_S)
        times.append(time.perf_counter() - start)
    peers = [1_000 * value for value in times]
    return at_most("one isolated comparison (fresh process)", [1_000 * ours], 50, "ms", peers)


def hostile(pairs: list[Pair], repeats: int) -> Claim:
    """What 100 hostile answers add to a run; allowed is the time limit for each, shared by the workers."""
    answers = hostile_answers(100)
    every = max(1, len(pairs) // len(answers))
    mixed = [pair for index, pair in enumerate(pairs) for pair in _with(pair, answers, index, every)]
    added = [timed(mixed)[0] - timed(pairs)[0] for _ in range(repeats)]
    return at_most("100 hostile answers add", added, len(answers) * LIMIT_S / WORKERS, "s")


def _with(pair: Pair, answers: list[str], index: int, every: int) -> list[Pair]:
    place = index // every
    return [pair, ("\\sqrt{5}", answers[place])] if index % every == 0 and place < len(answers) else [pair]


def one_hostile() -> Claim:
    """One tower of powers; the peer has a limit of 5 s of its own."""
    text = "10^{10^{10}}"
    ours = timed([("\\sqrt{5}", text)] * 1)[0]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _PEER_PROCESS, "\\sqrt{5}", text], stdout=subprocess.DEVNULL)
    try:
        process.wait(_GIVE_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    peer = time.perf_counter() - start
    return at_most(f"10^10^10, given up after {_GIVE_UP_S:.0f} s", [ours], 2 * LIMIT_S, "s", [peer])


def table() -> Claim:
    """Verdicts that differ from the two tables of pairs in tests."""
    right, wrong = [*RIGHT, *RULES_RIGHT], [*WRONG, *RULES_WRONG]
    pairs = [*right, *wrong]
    wanted = [True] * len(right) + [False] * len(wrong)
    ours = sum(verdict != want for verdict, want in zip(timed(pairs)[1], wanted, strict=True))
    peer = sum(peer_verdict(*pair) != want for pair, want in zip(pairs, wanted, strict=True))
    return at_most(f"errors on {len(pairs)} pairs", [ours], 0, "pairs", [peer])


def gold_itself(golds: list[str], number: int) -> Claim:
    """Gold answers that are not found equal to themselves."""
    sample = random.Random(3).sample(golds, min(number, len(golds)))
    ours = timed([(gold, gold) for gold in golds])[1].count(False) / len(golds)
    peer = sum(not peer_verdict(gold, gold) for gold in sample) / len(sample)
    return at_most("gold answers that differ from themselves", [ours], 0, "share", [peer])


def repeatable(pairs: list[Pair]) -> Claim:
    """Grades that change with the order and with the number of workers."""
    order = random.Random(4).sample(range(len(pairs)), len(pairs))
    with Grader(GradingConfig(1, LIMIT_S)) as one, Grader(GradingConfig(3, LIMIT_S)) as three:
        first = one.grade_many(requests(pairs))
        again = three.grade_many(requests([pairs[place] for place in order]))
    changed = sum(first[place] != grade for place, grade in zip(order, again, strict=True))
    return at_most("grades that change with order or workers", [changed], 0, "grades")


if __name__ == "__main__":
    sys.exit(main())

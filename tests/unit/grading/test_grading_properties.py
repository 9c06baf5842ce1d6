"""What holds of every answer: it is itself, in any dress, and no other."""

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentdistill.grading.mathematics.compare import same_answer
from agentdistill.grading.mathematics.quick import quick_verdict

INTEGERS = st.integers(-(10**7), 10**7)
SMALL = st.integers(2, 99)
DECIMALS = st.builds(lambda digits, places: f"{digits / 10**places:.{places}f}", INTEGERS, st.integers(1, 4))
RATIONALS = st.builds(lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}", st.integers(1, 999), SMALL)
ROOTS = st.builds(lambda factor, inner: rf"{factor}\sqrt{{{inner}}}", SMALL, SMALL)
SUMS = st.builds(lambda a, b, c: f"{a}x^2 - {b}x + {c}", SMALL, SMALL, SMALL)
BARE = st.one_of(INTEGERS.map(str), DECIMALS, RATIONALS, ROOTS, SUMS)
PAIRS = st.tuples(st.integers(-99, 99), st.integers(-99, 99)).filter(lambda pair: pair[0] != pair[1])
SETTING = settings(max_examples=60, deadline=None)


def tuples(open_="(", close=")"):
    return st.lists(BARE, min_size=2, max_size=4).map(lambda items: f"{open_}{', '.join(items)}{close}")


GOLDS = st.one_of(
    BARE,
    tuples(),
    tuples("[", "]"),
    tuples("", ""),
    tuples("\\{", "\\}"),
    PAIRS.map(lambda pair: rf"({min(pair)}, {max(pair)}]"),
    PAIRS.map(lambda pair: rf"(-\infty, {min(pair)}) \cup [{max(pair)}, \infty)"),
    PAIRS.map(lambda pair: rf"\begin{{pmatrix}} {pair[0]} & 1 \\ 0 & {pair[1]} \end{{pmatrix}}"),
    st.lists(SMALL, min_size=2, max_size=3).map(lambda items: ":".join(map(str, items))),
    st.builds(lambda value, word: f"{value} {word}", DECIMALS, st.sampled_from(["million", "thousand", "dozen", "cm"])),
    st.builds(lambda feet, inches: f"{feet} ft {inches} in", SMALL, st.integers(0, 11)),
    st.builds(
        lambda value, bound: f"x {bound} {value}", INTEGERS, st.sampled_from(["<", "\\le", ">", "\\geqslant", "\\ne"])
    ),
    st.builds(lambda low, high: f"x < {low} or x >= {high}", INTEGERS, INTEGERS),
    st.builds(lambda value, base: f"{value}_{{{base}}}", st.integers(1, 10**6), st.integers(2, 16)),
    st.builds(lambda period: f"0.({period})", st.integers(1, 998)),
    st.sampled_from("ABCDE").map(lambda letter: rf"\textbf{{({letter})}}"),
    st.text("abcdefghij", min_size=3, max_size=9),
    INTEGERS.map(lambda value: f"Some reasoning with {value + 1}.\n#### {value}"),
)


@SETTING
@given(GOLDS)
def test_every_gold_answer_is_itself(gold):
    assert same_answer(gold, gold)
    assert quick_verdict(gold, gold) is not False


@SETTING
@given(BARE, BARE)
def test_bare_values_are_the_same_from_both_sides(first, second):
    assert same_answer(first, second) == same_answer(second, first)


@SETTING
@given(st.lists(INTEGERS, min_size=2, max_size=3), st.lists(INTEGERS, min_size=2, max_size=3))
def test_tuples_are_the_same_from_both_sides(first, second):
    left, right = (f"({', '.join(map(str, items))})" for items in (first, second))
    assert same_answer(left, right) == same_answer(right, left) == (first == second)


DRESSES = [
    "${}$",
    "$${}$$",
    "\\({}\\)",
    "\\boxed{{{}}}",
    "So we get $\\boxed{{{}}}$.",
    "**{}**",
    "The answer is {}.",
    "The answer is **{}**.",
    "**Final answer:** {}",
    "### {}",
    "#### {}",
    "It took a while.\n#### {}",
    "答案：{}",
    "```\n{}\n```",
    "\u200b{}\ufeff",
    " \u00a0{} ",
    "\\displaystyle {}",
]


@SETTING
@given(GOLDS.filter(lambda gold: "\n" not in gold), st.sampled_from(DRESSES))
def test_a_dress_changes_nothing(gold, dress):
    assert same_answer(gold, dress.format(gold))


@SETTING
@given(INTEGERS)
def test_a_whole_number_is_itself_in_every_spelling(value):
    full_width = str(value).translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    spellings = [
        f"{value:,}",
        f"{value:,}".replace(",", "{,}"),
        f"{value:,}".replace(",", ",\\!"),
        f"{value}.0",
        f"{value}.",
        full_width,
        str(value).replace("-", "−"),
        str(value).replace("-", "‑"),
        f"np.int64({value})",
        f"Fraction({value}, 1)",
        f"Decimal('{value}')",
        f"[{value}]",
        f"'{value}'",
        f"x = {value}",
        f"{value} apples",
        bin(value) if value >= 0 else str(value),
        hex(value) if value >= 0 else str(value),
    ]
    for spelling in spellings:
        assert same_answer(str(value), spelling), spelling
        assert quick_verdict(str(value), spelling) is not False, spelling


@SETTING
@given(st.lists(INTEGERS, min_size=2, max_size=5))
def test_a_list_is_itself_however_python_prints_it(values):
    gold = ", ".join(map(str, values))
    listed, spaced = f"[{gold}]", "[" + " ".join(map(str, values)) + "]"
    wrapped = "[" + ", ".join(f"np.int64({value})" for value in values) + "]"
    texts = [listed, spaced, wrapped, f"array({listed})", f"dict_values({listed})", str(list(map(str, values)))]
    texts += [str([Fraction(value) for value in values]), str(dict(zip("xyzuv", values, strict=False)))]
    for text in texts:
        assert same_answer(gold, text), text


def changed(text, place, by):
    digits = [index for index, letter in enumerate(text) if letter.isdigit()]
    index = digits[place % len(digits)]
    return text[:index] + str((int(text[index]) + by) % 10) + text[index + 1 :]


@SETTING
@given(st.one_of(INTEGERS.map(str), DECIMALS, tuples()), st.integers(0, 20), st.integers(1, 9))
def test_another_digit_is_another_answer(gold, place, by):
    other = changed(gold, place, by)
    # Of a fraction and a root another digit may be the same value: 4/2, 8/4. A denominator may become zero.
    assume("\\" not in gold)
    assume(not (set(gold) | set(other)) <= set("-0."))
    assert not same_answer(gold, other)


@SETTING
@given(st.one_of(RATIONALS, ROOTS, SUMS, st.integers(1, 10**7).map(str)))
def test_another_sign_is_another_answer(gold):
    assert not same_answer(gold, f"-({gold})")
    assert not same_answer(f"-{gold}" if "x" not in gold else f"-({gold})", gold)


@SETTING
@given(PAIRS)
def test_another_order_is_another_tuple_and_the_same_set(pair):
    first, second = pair
    assert not same_answer(f"({first}, {second})", f"({second}, {first})")
    assert not same_answer(f"{first}:{second}:1000", f"{second}:{first}:1000")
    assert same_answer(f"\\{{{first}, {second}\\}}", f"\\{{{second}, {first}\\}}")


SCALES = ["thousand", "million", "billion", "trillion", "hundred", "dozen"]


@SETTING
@given(st.integers(1, 999), st.permutations(SCALES))
def test_another_word_of_scale_is_another_number(value, words):
    first, second = f"{value} {words[0]}", f"{value} {words[1]}"
    assert same_answer(first, f"{value}\\text{{ {words[0]}}}")
    for other in (second, str(value), f"{value} people"):
        assert not same_answer(first, other)
        assert not same_answer(other, first)


@SETTING
@given(PAIRS, st.sampled_from([("(", "["), ("[", "(")]), st.booleans())
def test_another_end_is_another_interval(pair, brackets, is_left):
    low, high = sorted(pair)
    inner = f"{low}, {high}"
    gold, other = (f"{side}{inner})" if is_left else f"({inner}{ {'(': ')', '[': ']'}[side] }" for side in brackets)
    assert same_answer(gold, gold)
    assert not same_answer(gold, other)


@SETTING
@given(INTEGERS, INTEGERS)
def test_a_choice_of_two_is_no_answer(first, second):
    assume(first != second)
    for text in (
        "{} or {}",
        "either {} or {}",
        "The answer is {} or {}.",
        "It could well be {} or {}",
        "\\boxed{{{}}} or \\boxed{{{}}}",
    ):
        assert not same_answer(str(first), text.format(first, second))
        assert not same_answer(str(second), text.format(first, second))


@SETTING
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_are_compared(gold, prediction):
    assert quick_verdict(gold, prediction) in (True, False, None)


@SETTING
@given(st.text("0123456789.,;:/()[]{}<>=+-*_^$%'\"\\ abeixoπ½√⁵", max_size=40))
def test_any_notation_is_read_and_a_plain_verdict_is_the_whole_one(text):
    quick = quick_verdict("7", text)
    assert quick is None or quick == same_answer("7", text)

"""The same value in LaTeX and in Python, as sympy writes both."""

import random

import pytest
import sympy

from agentdistill.grading.mathematics.compare import same_answer

X, Y = sympy.symbols("x y")
ATOMS = [
    X,
    Y,
    sympy.pi,
    sympy.E,
    sympy.I,
    sympy.sqrt(2),
    sympy.sqrt(5),
    sympy.Rational(3, 7),
    *map(sympy.Integer, range(-4, 9)),
]
FUNCTIONS = [sympy.sin, sympy.cos, sympy.exp, sympy.Abs, sympy.atan, sympy.sqrt]


def random_expression(rng, depth):
    if depth == 0:
        return rng.choice(ATOMS)
    first, second = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    made = [first + second, first - second, first * second, first ** rng.randint(2, 3), rng.choice(FUNCTIONS)(first)]
    return rng.choice([*made, first / second if second != 0 else first])


@pytest.mark.parametrize("seed", range(40))
def test_latex_and_python_of_one_expression_are_the_same(seed):
    expression = random_expression(random.Random(seed), 1 + seed % 3)
    latex, code = sympy.latex(expression), str(expression)
    if not expression.is_finite and expression.is_number:
        return
    assert same_answer(latex, code)
    assert same_answer(code, latex)
    assert not same_answer(latex, sympy.latex(expression + sympy.Rational(1, 7)))


@pytest.mark.parametrize(
    "value",
    [
        sympy.Interval(0, 3),
        sympy.Interval.open(-sympy.oo, 2),
        sympy.Interval.Lopen(1, sympy.sqrt(5)),
        sympy.Union(sympy.Interval(0, 1), sympy.Interval.open(2, sympy.oo)),
        sympy.FiniteSet(1, 2, sympy.pi),
        sympy.EmptySet,
        sympy.Matrix([[1, 2], [3, sympy.sqrt(2)]]),
        sympy.Matrix([1, -2, 3]),
        sympy.Tuple(1, X + 1),
    ],
    ids=str,
)
def test_latex_and_python_of_one_set_or_matrix_are_the_same(value):
    assert same_answer(sympy.latex(value), str(value))
    assert same_answer(str(value), sympy.latex(value))

r"""A reader of formulas as people and models write them: LaTeX, Python, and the mixtures in between.

`read_formula("2\sqrt{3}/5")` and `read_formula("2*sqrt(3)/5")` give the same sympy expression. It covers what answers
are made of and refuses the rest (NotAFormulaError), which math-verify's full LaTeX grammar then reads. Nothing is
evaluated as code. Only worker processes import this module: sympy evaluates powers as they are built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy

MAX_DEPTH = 60
MAX_BITS = 1_000_000  # of a power
MAX_FACTORIAL = 20_000


class NotAFormulaError(ValueError):
    """A text that this reader does not take for a formula."""


class TooLargeError(ArithmeticError):
    """A number with more digits than anybody writes down: it is not computed."""


_TOKEN = re.compile(
    r"\s*(?:(?P<repeating>\d*\.\d*\\overline\{\d+\})|(?P<number>\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    r"|\d+[eE][-+]?\d+(?![a-zA-Z])|\d+)|(?P<command>\\[a-zA-Z]+)|(?P<word>[a-zA-Z]+)|(?P<sign>\*\*|//|[-+*/^!(){}\[\]|_,]))"
)

_CONSTANTS = {
    "pi": sympy.pi, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I, "oo": sympy.oo, "inf": sympy.oo,
    "infty": sympy.oo, "infinity": sympy.oo, "imath": sympy.I,
}  # fmt: skip
_GREEK = frozenset(
    (
        "alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi",
        "varphi", "chi", "psi", "omega",
    )
)  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec, "csc": sympy.csc,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "asin": sympy.asin, "acos": sympy.acos,
    "atan": sympy.atan, "acot": sympy.acot, "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
    "asinh": sympy.asinh, "acosh": sympy.acosh, "atanh": sympy.atanh,
    "ln": sympy.log, "exp": sympy.exp, "abs": sympy.Abs, "Abs": sympy.Abs, "floor": sympy.floor,
    "ceil": sympy.ceiling, "ceiling": sympy.ceiling, "factorial": lambda value: _factorial(value), "cbrt": sympy.cbrt,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    "binom": lambda n, k: _binomial(n, k), "dbinom": lambda n, k: _binomial(n, k),
    "tbinom": lambda n, k: _binomial(n, k), "binomial": lambda n, k: _binomial(n, k),
    "comb": lambda n, k: _binomial(n, k),
    "Rational": lambda top, bottom: top / bottom, "Pow": lambda base, power: _power(base, power),
    "root": lambda base, degree: base ** (1 / degree),
}  # fmt: skip
_NAMES = sorted([*_CONSTANTS, *_FUNCTIONS, *_BINARY, *_GREEK, "sqrt", "log"], key=len, reverse=True)
_DIGITS = frozenset("0123456789.")
_TIMES = frozenset({"*", "\\cdot", "\\times", "\\ast"})
_OVER = frozenset({"/", "\\div"})
_STOPS = frozenset({")", "}", "]", "|", ",", "+", "-", "^", "**", "!", "_", "//", "", *_TIMES, *_OVER})


def read_formula(text: str) -> Any:
    """The sympy expression that a text writes down. Raises NotAFormulaError."""
    reader = _Reader(_tokens(text))
    value = reader.sum()
    if reader.peek():
        raise NotAFormulaError(text)
    return value


def _tokens(text: str) -> list[str]:
    """The tokens of a text; words are cut into known names and single letters ("xy" is x times y)."""
    tokens, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise NotAFormulaError(text)
        place = match.end()
        if match["word"] is None:
            tokens.append(match[0].strip())
            continue
        word = match["word"]
        while word:
            name = next((name for name in _NAMES if len(name) > 1 and word.startswith(name)), word[0])
            tokens.append(name)
            word = word[len(name) :]
    return tokens


class _Reader:
    """A recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._bars = 0  # open |...|
        self._has_basis = {"i", "j"} <= set(tokens)  # of vectors: no imaginary unit

    def peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise NotAFormulaError(f"{token!r} where {expected!r} was expected")
        self._place += 1
        return token

    def sum(self) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotAFormulaError("nested too deeply")
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        self._depth -= 1
        return value

    def product(self) -> Any:
        value = self.signed()
        while True:
            token = self.peek()
            if token in _TIMES:
                self.take()
                value = value * self.signed()
            elif token in _OVER:
                self.take()
                value = value / self.signed()
            elif token == "//":
                self.take()
                value = sympy.floor(value / self.signed())
            elif token not in _STOPS or (token == "|" and not self._bars):
                if token[0] in _DIGITS and self._tokens[self._place - 1][0] in _DIGITS:
                    raise NotAFormulaError("two numbers side by side")
                value = value * self.power()
            else:
                return value

    def signed(self) -> Any:
        if self.peek() in ("+", "-"):
            return -self.signed() if self.take() == "-" else self.signed()
        return self.power()

    def power(self) -> Any:
        value = self.postfix(self.atom())
        if self.peek() == "^":
            self.take()
            return _power(value, self.argument())
        if self.peek() == "**":
            self.take()
            return _power(value, self.signed())
        return value

    def postfix(self, value: Any) -> Any:
        while self.peek() == "!":
            self.take()
            value = _factorial(value)
        return value

    def argument(self) -> Any:
        """What a LaTeX macro or "^" takes: a braced group, or one digit, letter or macro."""
        token = self.peek()
        if token == "{":
            return self.bracketed("{", "}")
        if token == "(":
            return self.bracketed("(", ")")
        if token == "-":
            self.take()
            return -self.argument()
        if token.isdigit() and len(token) > 1:
            self._tokens[self._place] = token[1:]
            return sympy.Integer(int(token[0]))
        return self.atom()

    def bracketed(self, start: str, end: str) -> Any:
        self.take(start)
        value = self.sum()
        self.take(end)
        return value

    def atom(self) -> Any:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return self.number(token)
        if token in ("(", "{", "["):
            value = self.sum()
            self.take({"(": ")", "{": "}", "[": "]"}[token])
            return value
        if token == "|":
            self._bars += 1
            value = self.sum()
            self.take("|")
            self._bars -= 1
            return sympy.Abs(value)
        name = token.removeprefix("\\")
        if name.isalpha():
            return self.name(name, is_macro=token != name)
        raise NotAFormulaError(f"{token!r} at the start of a term")

    def number(self, token: str) -> Any:
        if "overline" in token:
            return _repeating(token)
        value = sympy.Rational(token)
        if self.peek() == "j" and not self._has_basis:
            self.take()
            return value * sympy.I
        if token.isdigit() and self.peek() == "\\frac":
            place = self._place
            part = self.name(self.take()[1:], is_macro=True)
            if part.is_Rational and 0 < part < 1:
                return value + part
            self._place = place
        return value

    def name(self, name: str, is_macro: bool) -> Any:
        if name == "frac":
            return self.argument() / self.argument()
        if name == "sqrt":
            return self.root()
        if name == "log":
            return self.logarithm()
        if name in _BINARY:
            return self.binary(name)
        if name in _FUNCTIONS:
            return self.function(_FUNCTIONS[name])
        if name in _CONSTANTS and not (name == "i" and self._has_basis):
            return _CONSTANTS[name]
        if len(name) > 1 and name not in _GREEK:
            raise NotAFormulaError(f"unknown name {name!r}")
        return self.symbol("phi" if name == "varphi" else name)

    def symbol(self, name: str) -> Any:
        if self.peek() == "_":
            self.take()
            inner = self.argument()
            return sympy.Symbol(f"{name}_{inner}")
        return sympy.Symbol(name)

    def root(self) -> Any:
        degree: Any = sympy.Integer(2)
        if self.peek() == "[":
            degree = self.bracketed("[", "]")
        return self.argument() ** (1 / degree)

    def logarithm(self) -> Any:
        """Base 10 only where it is written: "log" alone is natural in Python and in most answers."""
        if self.peek() == "_":
            self.take()
            base = self.argument()
            return self.function(lambda value: sympy.log(value, base))
        if self.peek() == "(":
            values = self.call()
            return sympy.log(*values) if len(values) <= 2 else self.refuse()
        return self.function(sympy.log)

    def function(self, apply: Callable[..., Any]) -> Any:
        r"""A function of what follows: "\sin x", "\sin^2 x", "sin(x)", "\sin 2x"."""
        power = None
        if self.peek() in ("^", "**"):
            self.take()
            power = self.argument()
        value = apply(self.argument() if self.peek() in ("(", "{", "|") else self.bare_argument())
        return value if power is None else value**power

    def bare_argument(self) -> Any:
        value = self.power()
        while self.peek() not in _STOPS and self.peek().removeprefix("\\") not in _FUNCTIONS:
            value = value * self.power()
        while self.peek() == "/":
            self.take()
            value = value / self.power()
        return value

    def binary(self, name: str) -> Any:
        if self.peek() == "(":
            values = self.call()
            return _BINARY[name](*values) if len(values) == 2 else self.refuse()
        return _BINARY[name](self.argument(), self.argument())

    def call(self) -> list[Any]:
        self.take("(")
        values = [self.sum()]
        while self.peek() == ",":
            self.take()
            values.append(self.sum())
        self.take(")")
        return values

    def refuse(self) -> Any:
        raise NotAFormulaError("wrong number of arguments")


def _power(base: Any, exponent: Any) -> Any:
    if base.is_Rational and exponent.is_Rational and base not in (0, 1, -1):
        size = max(abs(base.p), base.q).bit_length() * abs(exponent.p) // exponent.q
        if size > MAX_BITS:
            raise TooLargeError("a power")
    return base**exponent


def _factorial(value: Any) -> Any:
    if value.is_Integer and value > MAX_FACTORIAL:
        raise TooLargeError("a factorial")
    return sympy.factorial(value)


def _binomial(top: Any, bottom: Any) -> Any:
    if top.is_Integer and bottom.is_Integer and min(bottom, top - bottom) > MAX_FACTORIAL:
        raise TooLargeError("a binomial coefficient")
    return sympy.binomial(top, bottom)


def _repeating(token: str) -> Any:
    r"""The value of "0.1\overline{6}"."""
    match = re.fullmatch(r"(\d*)\.(\d*)\\overline\{(\d+)\}", token)
    if match is None:
        raise NotAFormulaError(token)
    whole, fixed, period = match.groups()
    start = sympy.Rational(int(f"{whole or 0}{fixed}"), 10 ** len(fixed))
    return start + sympy.Rational(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))

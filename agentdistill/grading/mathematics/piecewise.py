"""Functions by cases, as sympy prints them (`Piecewise((x, x >= 0), (-x, True))`) and as LaTeX writes them."""

from __future__ import annotations

import ast
import re
from typing import Any

import sympy

from agentdistill.grading.mathematics.formula import NotAFormulaError, read_formula

_CASES = re.compile(r"\\begin\s*\{cases\}(.*)\\end\s*\{cases\}", re.DOTALL)
_LEAD_IN = re.compile(r"^(?:\\text\s*\{[^{}]*\}|for|if|when|where|,|\s)+")
_OTHERWISE = re.compile(r"(?:otherwise|else|True)\W*", re.IGNORECASE)
_RELATIONS = {
    "<=": sympy.Le, "\\leq": sympy.Le, "\\le": sympy.Le, ">=": sympy.Ge, "\\geq": sympy.Ge, "\\ge": sympy.Ge,
    "<": sympy.Lt, "\\lt": sympy.Lt, ">": sympy.Gt, "\\gt": sympy.Gt, "\\ne": sympy.Ne, "!=": sympy.Ne,
}  # fmt: skip
_SIGN = re.compile("|".join(rf"{re.escape(sign)}(?![a-zA-Z])" for sign in sorted(_RELATIONS, key=len, reverse=True)))


def read_piecewise(text: str) -> Any:
    """The sympy function that a text writes by cases; None where it does not. Raises NotAFormulaError where the cases
    are none that this reader takes.
    """
    if text.startswith("Piecewise("):
        return _made(_python_cases(text))
    latex = _CASES.fullmatch(text.strip())
    if latex is None:
        return None
    rows = [row.split("&") for row in latex[1].split("\\\\") if row.strip()]
    if any(len(row) != 2 for row in rows):
        raise NotAFormulaError(text)
    return _made([(value.strip().removesuffix(","), condition) for value, condition in rows])


def _python_cases(text: str) -> list[tuple[str, str]]:
    try:
        call = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise NotAFormulaError(text) from error
    pairs = [pair.elts for pair in call.args if isinstance(pair, ast.Tuple)] if isinstance(call, ast.Call) else []
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise NotAFormulaError(text)
    return [(ast.unparse(value), ast.unparse(condition)) for value, condition in pairs]


def _made(cases: list[tuple[str, str]]) -> Any:
    return sympy.Piecewise(*((read_formula(value), _condition(condition.strip())) for value, condition in cases))


def _condition(text: str) -> Any:
    text = _LEAD_IN.sub("", text).strip().removesuffix(".")
    if _OTHERWISE.fullmatch(text):
        return True
    signs, parts = _SIGN.findall(text), _SIGN.split(text)
    if not signs:
        raise NotAFormulaError(text)
    sides = [read_formula(part.strip()) for part in parts]
    return sympy.And(*(_RELATIONS[sign](*sides[place : place + 2]) for place, sign in enumerate(signs)))

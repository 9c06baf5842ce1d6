"""Answers that are Python, as agents print them: "[1, -2]", "Matrix([[1, 2]])", "{4, 5}", "Union(Interval(0, 1), ...)".

The text is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import re

from agentdistill.grading.mathematics.parts import Equation, Group, Matrix, Scalar, Shape, Union, Words

_MAX_CHARS = 2_000
_LOOKS_LIKE_CODE = re.compile(r"[\[{(,]|[A-Za-z_]\w*\s*\(")
_INTERVALS = {"Interval": ("[", "]"), "open": ("(", ")"), "Lopen": ("(", "]"), "Ropen": ("[", ")")}


def python_shape(text: str) -> Shape | None:
    """The shape of a Python container or of sympy's sets and matrices; None where the text is anything else."""
    if len(text) > _MAX_CHARS or "\\" in text or not _LOOKS_LIKE_CODE.search(text):
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _container(tree)


def _container(node: ast.expr) -> Shape | None:
    if isinstance(node, ast.List):
        if node.elts and all(isinstance(row, ast.List) for row in node.elts):
            return _rows(node)
        return Group("[", "]", tuple(_part(item) for item in node.elts))
    if isinstance(node, ast.Set):
        return Group("{", "}", tuple(_part(item) for item in node.elts))
    if isinstance(node, ast.Dict) and not node.keys:
        return Group("{", "}", ())
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return Words(node.value)
    return _call(node) if isinstance(node, ast.Call) else None


def _call(node: ast.Call) -> Shape | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in ("Matrix", "ImmutableMatrix", "ImmutableDenseMatrix", "array") and len(node.args) == 1:
        return _rows(node.args[0])
    if name in ("FiniteSet", "set", "frozenset"):
        inner = node.args
        if len(inner) == 1 and isinstance(inner[0], ast.List | ast.Set | ast.Tuple):
            inner = inner[0].elts
        return Group("{", "}", tuple(_part(item) for item in inner))
    if name == "Tuple":
        return Group("(", ")", tuple(_part(item) for item in node.args))
    if name == "Union":
        return Union(tuple(_part(item) for item in node.args))
    if name == "Eq" and len(node.args) == 2:
        return Equation(ast.unparse(node.args[0]), _part(node.args[1]))
    if name in _INTERVALS and len(node.args) >= 2:
        return _interval(name, node.args)
    return None


def _interval(name: str, args: list[ast.expr]) -> Shape:
    open_, close = _INTERVALS[name]
    flags = [getattr(arg, "value", None) is True for arg in args[2:4]] + [False, False]
    return Group("(" if flags[0] else open_, ")" if flags[1] else close, (_part(args[0]), _part(args[1])))


def _rows(node: ast.expr) -> Shape | None:
    if not isinstance(node, ast.List) or not node.elts:
        return None
    rows = [row.elts if isinstance(row, ast.List) else [row] for row in node.elts]
    if len({len(row) for row in rows}) != 1:
        return Group("[", "]", tuple(_part(item) for item in node.elts))
    return Matrix(tuple(tuple(_part(cell) for cell in row) for row in rows))


def _part(node: ast.expr) -> Shape:
    if isinstance(node, ast.Tuple):
        return Group("(", ")", tuple(_part(item) for item in node.elts))
    return _container(node) or Scalar(ast.unparse(node))

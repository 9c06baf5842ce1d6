"""Answers that are Python, as agents print them: "[1, -2]", "Matrix([[1, 2]])", "{4, 5}", "Union(Interval(0, 1), ...)".

The text is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from agentdistill.grading.mathematics.parts import Equation, Group, Matrix, Scalar, Shape, Union, Words

_MAX_CHARS = 2_000
_LOOKS_LIKE_CODE = re.compile(r"[\[{(,]|[A-Za-z_]\w*\s*\(")
_INTERVALS = {"Interval": ("[", "]"), "open": ("(", ")"), "Lopen": ("(", "]"), "Ropen": ("[", ")")}
_MATRICES = ("Matrix", "ImmutableMatrix", "ImmutableDenseMatrix", "array")
_CONNECTIVES = {"And": " \\land ", "Or": " \\lor "}
_INFINITE = frozenset({"oo", "-oo", "inf", "-inf"})

Read = Callable[[str], Shape]


def python_shape(text: str, read: Read) -> Shape | None:
    """The shape of a Python container or of sympy's sets, matrices and relations; None where the text is anything else.

    `read` gives the shape of what stands within as text or as a relation.
    """
    if len(text) > _MAX_CHARS or "\\" in text or not _LOOKS_LIKE_CODE.search(text):
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _Reader(read).container(tree)


@dataclass(frozen=True, slots=True)
class _Reader:
    read: Read

    def container(self, node: ast.expr) -> Shape | None:
        if isinstance(node, ast.List):
            if node.elts and all(isinstance(row, ast.List) for row in node.elts):
                return self.rows(node)
            return Group("[", "]", self.parts(node.elts))
        if isinstance(node, ast.Set):
            return Group("{", "}", self.parts(node.elts))
        if isinstance(node, ast.Dict):
            return self.assignments(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.read(node.value) if node.value.strip() else Words(node.value)
        return self.call(node) if isinstance(node, ast.Call) else None

    def parts(self, nodes: list[ast.expr]) -> tuple[Shape, ...]:
        return tuple(self.part(node) for node in nodes)

    def part(self, node: ast.expr) -> Shape:
        if isinstance(node, ast.Tuple):
            return Group("(", ")", self.parts(node.elts))
        found = self.container(node)
        if found is not None:
            return found
        return self.read(ast.unparse(node)) if isinstance(node, ast.Compare) else Scalar(ast.unparse(node))

    def assignments(self, node: ast.Dict) -> Shape:
        """What sympy's `solve` gives: `{x: 2, y: 1}` is x = 2, y = 1."""
        if not node.keys:
            return Group("{", "}", ())
        names = [
            key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ast.unparse(key)
            for key in node.keys
            if key is not None
        ]
        values = self.parts(node.values)
        return Group("", "", tuple(Equation(name, value) for name, value in zip(names, values, strict=False)))

    def call(self, node: ast.Call) -> Shape | None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _MATRICES and len(node.args) == 1:
            return self.rows(node.args[0])
        if name in ("FiniteSet", "set", "frozenset"):
            inner = node.args
            if len(inner) == 1 and isinstance(inner[0], ast.List | ast.Set | ast.Tuple):
                inner = inner[0].elts
            return Group("{", "}", self.parts(inner))
        if name == "Tuple":
            return Group("(", ")", self.parts(node.args))
        if name == "Union":
            return Union(self.parts(node.args))
        if name == "Eq" and len(node.args) == 2:
            return Equation(ast.unparse(node.args[0]), self.part(node.args[1]))
        if name == "Poly" and node.args:
            return self.part(node.args[0])
        if name in _CONNECTIVES and node.args:
            return self.read(_CONNECTIVES[name].join(f"({ast.unparse(part)})" for part in node.args))
        if name in _INTERVALS and len(node.args) >= 2:
            return self.interval(name, node.args)
        return None

    def interval(self, name: str, args: list[ast.expr]) -> Shape:
        """An end at infinity is open, as sympy has it without saying so."""
        open_, close = _INTERVALS[name]
        flags = [getattr(arg, "value", None) is True for arg in args[2:4]] + [False, False]
        if flags[0] or ast.unparse(args[0]) in _INFINITE:
            open_ = "("
        if flags[1] or ast.unparse(args[1]) in _INFINITE:
            close = ")"
        return Group(open_, close, (self.part(args[0]), self.part(args[1])))

    def rows(self, node: ast.expr) -> Shape | None:
        if not isinstance(node, ast.List) or not node.elts:
            return None
        rows = [row.elts if isinstance(row, ast.List) else [row] for row in node.elts]
        if len({len(row) for row in rows}) != 1:
            return Group("[", "]", self.parts(node.elts))
        return Matrix(tuple(self.parts(row) for row in rows))

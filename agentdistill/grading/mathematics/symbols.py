"""Letters and signs of other keyboards, as the LaTeX or ASCII that they stand for."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    "×": "\\times ", "∗": "*", "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ", "÷": "/", "∕": "/", "⁄": "/", "∶": ":",
    "π": "\\pi ", "∞": "\\infty ", "°": "^\\circ ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "±": "\\pm ",
    "≤": "\\le ", "⩽": "\\le ", "≦": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≧": "\\ge ", "≠": "\\ne ", "≈": "\\approx ",
    "∨": "\\lor ", "∧": "\\land ", "∅": "\\emptyset ", "ℝ": "\\mathbb{R}", "⟨": "\\langle ", "⟩": "\\rangle ",
    "…": "...", "、": ",", "。": ".", "′": "'", "’": "'", "‘": "'", "″": '"', "“": '"', "”": '"',
    "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "δ": "\\delta ", "ε": "\\epsilon ", "θ": "\\theta ",
    "λ": "\\lambda ", "μ": "\\mu ", "ρ": "\\rho ", "σ": "\\sigma ", "τ": "\\tau ", "φ": "\\phi ", "ω": "\\omega ",
}  # fmt: skip
_MINUS = "−–‐‑‒﹣－"
_BLANKS = "\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000"
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]+")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]+")
_ROOT = re.compile(r"([√∛])\s*(\d+(?:\.\d+)?|\\?[a-zA-Z]+|(?=[({]))")


def _table() -> dict[int, str]:
    """Full-width and mathematical letters and digits as plain ones, fractions of one letter as LaTeX."""
    table = {}
    for code in (*range(0xFF01, 0xFF5F), *range(0x1D400, 0x1D800)):
        table[code] = unicodedata.normalize("NFKC", chr(code))
    for letter in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞":
        top, _, bottom = unicodedata.normalize("NFKC", letter).partition("⁄")
        table[ord(letter)] = f"\\frac{{{top}}}{{{bottom}}}"
    table |= {ord(sign): text for sign, text in _SIGNS.items()}
    table |= dict.fromkeys(map(ord, _MINUS), "-") | dict.fromkeys(map(ord, _BLANKS), " ")
    return table | dict.fromkeys(map(ord, _INVISIBLE), "")


_TABLE = _table()


def ascii_notation(text: str) -> str:
    """The text with exponents, indices, roots and signs in LaTeX: "10⁵" is "10^{5}", "√2" is "\\sqrt{2}"."""
    if _NOT_ASCII.search(text) is None:
        return text
    text = text.translate(_TABLE)
    text = _RAISED_RUN.sub(lambda match: "^{" + "".join(_RAISED[sign] for sign in match[0]) + "}", text)
    text = _LOWERED_RUN.sub(lambda match: "_{" + "".join(_LOWERED[sign] for sign in match[0]) + "}", text)
    return _ROOT.sub(_root, text)


def _root(match: re.Match[str]) -> str:
    macro = "\\sqrt" if match[1] == "√" else "\\sqrt[3]"
    return f"{macro}{{{match[2]}}}" if match[2] else macro

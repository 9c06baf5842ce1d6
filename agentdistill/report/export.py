"""Tables as Markdown and LaTeX, to paste into a document."""

from __future__ import annotations

from collections.abc import Sequence

from agentdistill.report.tables import Entry, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
}


def to_markdown(title: str, tables: Sequence[Table]) -> str:
    """All tables as one Markdown document."""
    return "\n\n".join([f"# {_markdown(title)}", *(_markdown_table(table) for table in tables)]) + "\n"


def to_latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX `table` environments; they need the package booktabs."""
    return "% Needs \\usepackage{booktabs}.\n\n" + "\n\n".join(_latex_table(table) for table in tables) + "\n"


def _markdown_table(table: Table) -> str:
    heads = [_markdown(table.stub), *(_markdown(f"{head} ({sub})" if sub else head) for head, sub in table.columns)]
    lines = [
        f"## {_markdown(table.title)}",
        "",
        _bar(heads),
        _bar(["---", *("---:" for _ in table.columns)]),
    ]
    for row in table.rows:
        header = _markdown(f"{row.header} ({row.sub})" if row.sub else row.header)
        lines.append(_bar([header, *(_markdown_entry(entry) for entry in row.entries)]))
    for note in table.notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines)


def _bar(values: Sequence[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _markdown_entry(entry: Entry) -> str:
    main = f"**{_markdown(entry.main)}**" if entry.mark == "best" else _markdown(entry.main)
    return f"{main} ({_markdown(entry.sub)})" if entry.sub else main


def _markdown(text: str) -> str:
    for char in "\\`*_[]<>|#":
        text = text.replace(char, f"\\{char}")
    return " ".join(text.split())


def _latex_table(table: Table) -> str:
    columns = "l" + "r" * len(table.columns)
    heads = [latex(table.stub), *(latex(head) for head, _ in table.columns)]
    subs = ["", *(latex(sub) for _, sub in table.columns)]
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\small",
        rf"\caption{{{latex(table.title)}. {latex(' '.join(table.notes))}}}",
        rf"\label{{tab:{table.name.replace('_', '-')}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
    ]
    if any(subs):
        lines.append(" & ".join(rf"\scriptsize {sub}" if sub else "" for sub in subs) + r" \\")
    lines.append(r"\midrule")
    for row in table.rows:
        header = latex(row.header) + (rf" {{\scriptsize {latex(row.sub)}}}" if row.sub else "")
        lines.append(" & ".join([header, *(_latex_entry(entry) for entry in row.entries)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _latex_entry(entry: Entry) -> str:
    main = rf"\textbf{{{latex(entry.main)}}}" if entry.mark == "best" else latex(entry.main)
    return rf"{main} {{\scriptsize ({latex(entry.sub)})}}" if entry.sub else main


def latex(text: str) -> str:
    """The text with every character that LaTeX would interpret written out."""
    return "".join(_LATEX.get(char, char) for char in " ".join(text.split()))

"""Texts that are hardly programs: each one is an outcome, none harms the session."""

import pytest

from agentdistill.cli.sandbox import print_outcome, run_file
from agentdistill.errors import UserError
from agentdistill.sandbox import Sandbox
from agentdistill.types import CodeError, Limit, Outcome


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("x = 1\0", "SyntaxError"),
        ("def f(:", "SyntaxError"),
        ("if True:\nx", "IndentationError"),
        ("'" + "a" * 100, "SyntaxError"),
        ("(" * 500, "SyntaxError"),
        ("x = '\ud800'\nx.encode()", "UnicodeEncodeError"),
        ("return 1", "SyntaxError"),
        ("await f()", "SyntaxError"),
        ("x = \u200b1", "SyntaxError"),
        ("0777", "SyntaxError"),
        ("9" * 5_000, "SyntaxError"),
    ],
)
def test_what_is_no_program_is_an_error_of_the_code(namespaced: Sandbox, code: str, kind: str) -> None:
    with namespaced.session() as session:
        session.run("kept = 1")
        outcome = session.run(code)
        assert outcome.error is not None
        assert outcome.error.type == kind
        assert session.run("kept").value == "1"


@pytest.mark.parametrize("code", ["", "   \n\t", "# nothing", "pass", "None"])
def test_nothing_to_do_is_no_error(namespaced: Sandbox, code: str) -> None:
    with namespaced.session() as session:
        outcome = session.run(code)
    assert (outcome.error, outcome.value, outcome.stdout) == (None, None, "")


def test_a_program_of_ten_megabytes_is_refused_before_it_is_sent(namespaced: Sandbox) -> None:
    with namespaced.session() as session:
        outcome = session.run("x = 1\n" * (10 * 2**20 // 6))
        assert (outcome.limit, outcome.state_lost) == (Limit.VALUE, False)
        assert outcome.error is not None
        assert "at most 1,000,000" in outcome.error.message
        assert session.try_all(["x = 1\n" * (10 * 2**20 // 6), "2"])[1].value == "2"


def test_deeply_nested_source_hurts_only_the_session(namespaced: Sandbox) -> None:
    with namespaced.session() as session:
        outcome = session.run("-" * 100_000 + "1")
        assert outcome.error is not None
        assert session.run("2").value == "2"


def test_names_in_other_scripts_are_names(namespaced: Sandbox) -> None:
    with namespaced.session() as session:
        assert session.run("größe = 2\nπ = 3\ngröße * π").value == "6"


def test_lone_surrogates_in_output_become_text_that_can_be_written(namespaced: Sandbox) -> None:
    with namespaced.session() as session:
        outcome = session.run("print('a\\ud800b')\n'\\udfff'")
    outcome.stdout.encode("utf-8")
    assert outcome.stdout == "a?b\n"


def test_a_file_runs_in_a_session_of_its_own(tmp_path) -> None:
    file = tmp_path / "program.py"
    file.write_text("print('hello')\n6 * 7")
    outcome = run_file(file)
    assert (outcome.stdout, outcome.value) == ("hello\n", "42")


def test_a_file_that_is_no_utf8_is_one_sentence(tmp_path) -> None:
    file = tmp_path / "program.py"
    file.write_bytes(b"x = '\xff'")
    with pytest.raises(UserError, match="not UTF-8: byte 5 is 0xff"):
        run_file(file)


def test_a_file_that_is_missing_is_one_sentence(tmp_path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        run_file(tmp_path / "none.py")


def test_an_outcome_prints_for_people_and_for_machines(capsys) -> None:
    outcome = Outcome(stdout="a\n", value="1", error=CodeError("ValueError", "no"), limit=Limit.WALL)
    print_outcome(outcome, False)
    shown = capsys.readouterr()
    assert shown.out == "a\n1\n"
    assert "ValueError: no" in shown.err
    print_outcome(outcome, True)
    assert '"limit": "wall"' in capsys.readouterr().out

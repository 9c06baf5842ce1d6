"""try_all and commit."""

import pytest
from sandbox_harness import leftovers, settles_at

from agentdistill.errors import SessionLostError
from agentdistill.sandbox import Sandbox
from agentdistill.types import Limit


def test_each_candidate_sees_the_session_and_none_the_others(box: Sandbox) -> None:
    with box.session() as session:
        session.run("x = [1]")
        outcomes = session.try_all(["x.append(2); x", "x", "x.append(3); x"])
        assert [outcome.value for outcome in outcomes] == ["[1, 2]", "[1]", "[1, 3]"]
        assert session.run("x").value == "[1]"


def test_files_of_a_candidate_stay_with_it(box: Sandbox) -> None:
    with box.session() as session:
        session.run("open('a', 'w').write('1')")
        outcomes = session.try_all(["open('a', 'w').write('22'); open('b', 'w'); open('a').read()", "1"])
        assert outcomes[0].value == "'22'"
        assert session.run("import os; os.listdir(), open('a').read()").value == "(['a'], '1')"


def test_commit_makes_a_fork_the_session_without_running_it_again(box: Sandbox) -> None:
    calls = []
    with box.session(tools={"note": calls.append}) as session:
        session.run("x = 1")
        session.try_all(["note('a'); x += 1", "note('b'); x += 10; open('f', 'w').write('kept')"])
        session.commit(1)
        assert session.run("x, open('f').read()").value == "(11, 'kept')"
    assert sorted(calls) == ["a", "b"]


def test_many_commits_in_a_row_leave_nothing(box: Sandbox) -> None:
    with box.session() as session:
        session.run("x = 0")
        for _ in range(20):
            session.try_all(["x += 1", "x += 2"])
            session.commit(0)
        assert session.run("x").value == "20"
    assert leftovers(box) == ([], [])


def test_orphans_of_a_candidate_and_of_a_committed_fork_end_with_their_run(box: Sandbox) -> None:
    orphan = "import os, time\nif os.fork() == 0:\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)"
    with box.session() as session:
        session.try_all([orphan, "1"])
        assert settles_at(box, 3)  # the session, and two candidates that may be committed
        session.commit(0)
        session.run(orphan)
        assert settles_at(box, 1)
    assert leftovers(box) == ([], [])


def test_forks_that_were_tried_do_not_count_as_processes_later(box: Sandbox) -> None:
    with box.session() as session:
        for _ in range(15):
            assert [outcome.value for outcome in session.try_all(["1"] * 8)] == ["1"] * 8
        assert session.run("import os\nos.fork() and 'parent'").value in ("'parent'", "0")


def test_an_equal_tool_call_of_one_step_is_carried_out_once(namespaced) -> None:
    calls = []

    def search(query, k=1):
        calls.append((query, k))
        return f"{query}-{len(calls)}"

    with namespaced.session(tools={"search": search}) as session:
        outcomes = session.try_all(["search('a')", "search('a')", "search('a', k=2)", "search('b')"])
        again = session.try_all(["search('a')"])
    assert outcomes[0].value == outcomes[1].value
    assert sorted(calls) == [("a", 1), ("a", 1), ("a", 2), ("b", 1)]
    assert again[0].error is None


@pytest.mark.slow
def test_a_candidate_that_is_killed_leaves_the_others_and_the_session(box: Sandbox) -> None:
    with box.session() as session:
        session.run("x = 7")
        outcomes = session.try_all(
            [
                "import os; os._exit(1)",
                "x",
                "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\nwhile True: pass",
            ]
        )
        assert [outcome.limit for outcome in outcomes] == [Limit.CRASH, None, Limit.WALL]
        assert session.run("x").value == "7"


def test_a_candidate_that_did_not_survive_cannot_be_committed(namespaced) -> None:
    with namespaced.session() as session:
        session.run("x = 7")
        session.try_all(["import os; os._exit(1)", "x = 8"])
        with pytest.raises(SessionLostError, match="did not survive"):
            session.commit(0)
        session.commit(1)
        assert session.run("x").value == "8"


def test_commit_of_a_fork_that_is_not_there_is_an_error(namespaced) -> None:
    with namespaced.session() as session, pytest.raises(IndexError, match="left 0 forks"):
        session.commit(0)


def test_final_answers_of_candidates_come_back(namespaced) -> None:
    with namespaced.session() as session:
        outcomes = session.try_all(["final_answer(1)", "final_answer(2)", "1 / 0"])
    assert [outcome.final_answer for outcome in outcomes] == ["1", "2", None]


def test_no_candidates_are_no_outcomes(namespaced) -> None:
    with namespaced.session() as session:
        assert session.try_all([]) == []

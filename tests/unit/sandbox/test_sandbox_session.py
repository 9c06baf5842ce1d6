"""Sessions: state, what runs, tools, output, values, answers."""

import asyncio
import os
import signal
import time

import pytest
from sandbox_harness import LIMITS

from agentdistill.errors import RetrieverError, SandboxError
from agentdistill.sandbox import Sandbox, Session
from agentdistill.types import Limit


@pytest.fixture
def session(namespaced):
    with namespaced.session() as session:
        yield session


def test_variables_imports_functions_and_classes_survive_between_runs(session: Session) -> None:
    session.run("import math\nx = 2\ndef f(n):\n    return n * x\nclass P:\n    y = 5")
    assert session.run("math.floor(f(P.y) + 0.5)").value == "10"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("t = 0\nfor i in range(3):\n    for j in range(3):\n        t += i * j\nt", "9"),
        ("[i * j for i in range(3) for j in range(2)]", "[0, 0, 0, 1, 0, 2]"),
        ("def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(15)", "610"),
        ("def g():\n    yield from range(3)\nlist(g())", "[0, 1, 2]"),
        ("k = 3\n[k * n for n in range(3)]", "[0, 3, 6]"),
        ("class A:\n    def __init__(self):\n        self.v = 1\nA().v", "1"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    r = 'caught'\nr", "'caught'"),
        ("async def f():\n    return 3\nimport asyncio\nasyncio.run(f())", "3"),
        ("import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int\nD(1)", "D(a=1)"),
        ("import pickle\nclass Q: pass\ntype(pickle.loads(pickle.dumps(Q()))).__name__", "'Q'"),
        ("match [1, 2]:\n    case [a, b]:\n        r = a + b\nr", "3"),
    ],
)
def test_anything_that_python_runs_runs(session: Session, code: str, value: str) -> None:
    assert session.run(code).value == value


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np; float(np.linalg.det(np.eye(3)))",
        "import sympy; x = sympy.symbols('x'); str(sympy.integrate(x, x))",
        "import scipy.optimize as o; round(float(o.brentq(lambda v: v - 1, 0, 3)), 3)",
        "import pandas as pd; int(pd.DataFrame({'a': [1, 2]}).a.sum())",
        "import statistics, itertools, datetime, collections, fractions, decimal, random, re, json, heapq; 1",
        "import zoneinfo; str(zoneinfo.ZoneInfo('Europe/Oslo'))",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor(3) as p:\n    r = sum(p.map(abs, range(5)))\nr",
    ],
)
def test_the_usual_modules_are_ready(session: Session, code: str) -> None:
    outcome = session.run(code)
    assert outcome.error is None
    assert outcome.value is not None


def test_modules_that_the_config_blocks_are_refused() -> None:
    with Sandbox(LIMITS, preload=["statistics"], blocked_imports=["statistics"]) as box, box.session() as session:
        outcome = session.run("import statistics")
    assert outcome.error is not None
    assert "may not be imported" in outcome.error.message


def test_printed_text_and_a_last_expression_are_told_apart(session: Session) -> None:
    outcome = session.run("print('seen')\n'shown'")
    assert (outcome.stdout, outcome.value) == ("seen\n", "'shown'")


def test_the_traceback_shows_only_the_sessions_own_code(session: Session) -> None:
    outcome = session.run("def f():\n    return 1 / 0\nf()")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in outcome.error.traceback
    assert "agentdistill" not in outcome.error.traceback


def test_a_failed_run_keeps_what_it_did_before_the_error(session: Session) -> None:
    session.run("a = 1\nraise ValueError('no')")
    assert session.run("a").value == "1"


def test_a_final_answer_ends_the_code_and_is_text(session: Session) -> None:
    outcome = session.run("print('before')\nfinal_answer(6 * 7)\nprint('after')")
    assert (outcome.final_answer, outcome.is_final, outcome.stdout) == ("42", True, "before\n")


def test_a_final_answer_passes_through_except_exception(session: Session) -> None:
    assert session.run("try:\n    final_answer('x')\nexcept Exception:\n    pass").is_final


def test_tools_get_plain_data_and_give_plain_data(namespaced) -> None:
    def echo(*args, **kwargs):
        return {"args": list(args), "kwargs": kwargs}

    with namespaced.session(tools={"echo": echo}) as session:
        outcome = session.run("import numpy as np\necho(np.int64(3), [1, (2, None)], key={'a': 'é'})")
    assert outcome.value == "{'args': [3, [1, [2, None]]], 'kwargs': {'key': {'a': 'é'}}}"
    assert outcome.num_tool_calls == 1


def test_a_tools_error_arrives_as_an_exception_of_its_name(namespaced) -> None:
    def fails(text):
        raise KeyError(text)

    with namespaced.session(tools={"fails": fails}) as session:
        outcome = session.run("try:\n    fails('abc')\nexcept KeyError as error:\n    r = str(error)\nr")
    assert "abc" in (outcome.value or "")


def test_a_tool_that_is_no_plain_data_is_a_clear_error(namespaced) -> None:
    with namespaced.session(tools={"odd": lambda: object()}) as session:
        outcome = session.run("odd()")
        arguments = session.run("odd(print)")
    assert outcome.error is not None
    assert "no plain data" in outcome.error.message
    assert arguments.error is not None
    assert "plain data" in arguments.error.message


def test_a_retriever_that_is_down_shows_even_where_the_code_hides_it(namespaced) -> None:
    def search(query):
        raise RetrieverError("no route")

    with namespaced.session(tools={"search": search}) as session:
        outcome = session.run("try:\n    search('a')\nexcept Exception:\n    print('nothing found')")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("RetrieverError", "no route")


def test_code_cannot_pretend_that_the_retriever_is_down(session: Session) -> None:
    outcome = session.run("class RetrieverError(Exception): pass\nraise RetrieverError('x')")
    assert outcome.error is not None
    assert outcome.error.type != "RetrieverError"


def test_tools_from_threads_get_their_own_answers(namespaced) -> None:
    with namespaced.session(tools={"twice": lambda n: 2 * n}) as session:
        session.run("from concurrent.futures import ThreadPoolExecutor")
        assert session.run("with ThreadPoolExecutor(4) as p:\n    r = list(p.map(twice, range(20)))\nr").value == str(
            [2 * n for n in range(20)]
        )


def test_a_tool_may_not_be_named_final_answer(namespaced) -> None:
    with pytest.raises(ValueError, match="final_answer"):
        namespaced.session(tools={"final_answer": print})


async def test_async_sessions_run_async_tools_on_the_callers_loop(namespaced) -> None:
    loop = asyncio.get_running_loop()

    async def where():
        return asyncio.get_running_loop() is loop

    async with namespaced.async_session(tools={"where": where}) as session:
        assert (await session.run("where()")).value == "True"


async def test_a_cancelled_run_ends_and_the_next_call_says_so(namespaced) -> None:
    async with namespaced.async_session() as session:
        await session.run("x = 1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.run("import time; time.sleep(30)")
        lost = await session.run("x")
        assert lost.state_lost
        assert (await session.run("2")).value == "2"


def test_a_name_that_was_lost_says_so(session: Session) -> None:
    session.run("x = 1")
    lost = session.run("import os; os._exit(3)")
    assert (lost.limit, lost.state_lost) == (Limit.CRASH, True)
    assert lost.error is not None
    assert "exit status 3" in lost.error.message
    after = session.run("x")
    assert after.error is not None
    assert "are gone" in after.error.message


@pytest.mark.parametrize("wait", ["pid and os.waitpid(pid, 0)", "pid or time.sleep(0.3)"])
def test_a_child_that_code_forks_does_not_speak_for_the_session(session: Session, wait: str) -> None:
    outcome = session.run(f"import os, time\npid = os.fork()\n{wait}\nprint('parent' if pid else 'child')\npid > 0")
    assert (outcome.stdout, outcome.value) == ("parent\n", "True")
    assert [session.run(str(number)).value for number in range(5)] == ["0", "1", "2", "3", "4"]


def test_a_closed_session_says_so(namespaced) -> None:
    session = namespaced.session()
    session.close()
    session.close()
    with pytest.raises(SandboxError, match="closed"):
        session.run("1")


def test_the_warm_process_is_started_again_when_it_died() -> None:
    with Sandbox(LIMITS, preload=[]) as box:
        session = box.session()
        session.run("x = 1")
        os.kill(box.warm_pid, signal.SIGKILL)
        while box.warm_pid:
            time.sleep(0.01)
        assert session.run("x").state_lost
        assert session.run("3").value == "3"
        session.close()

"""Code that wants everything: it ends at its limit, says which, and leaves nothing behind."""

import os
import time
from pathlib import Path

import pytest
from sandbox_harness import LIMITS, SPARES, leftovers, running

from agentdistill.sandbox import Limits, Sandbox
from agentdistill.sandbox.host import usage
from agentdistill.types import Limit, Outcome

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unharmed")]

STUBBORN = "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\nwhile True: pass"
FOREVER_IN_C = "import itertools, collections\ncollections.deque(itertools.repeat(None), maxlen=0)"


def run(box: Sandbox, code: str) -> Outcome:
    with box.session() as session:
        session.run("kept = 1")
        outcome = session.run(code)
        after = session.run("kept")
        assert (after.value == "1") is not outcome.state_lost
        assert session.run("2").value == "2"
    return outcome


def test_an_endless_loop_ends_and_keeps_the_state(box: Sandbox) -> None:
    outcome = run(box, "print('so far')\nwhile True: pass")
    assert (outcome.limit, outcome.state_lost, outcome.stdout) == (Limit.WALL, False, "so far\n")


def test_an_endless_sleep_ends(box: Sandbox) -> None:
    assert run(box, "import time; time.sleep(1000)").limit is Limit.WALL


def test_an_endless_loop_that_ignores_the_interrupt_is_killed_and_shows_its_output(box: Sandbox) -> None:
    outcome = run(box, "print('so far')\n" + STUBBORN)
    assert (outcome.limit, outcome.state_lost, outcome.stdout) == (Limit.WALL, True, "so far\n")


def test_an_endless_loop_within_one_c_call_is_killed(box: Sandbox) -> None:
    outcome = run(box, FOREVER_IN_C)
    assert (outcome.limit, outcome.state_lost) == (Limit.WALL, True)


def test_a_power_that_never_ends_is_stopped(box: Sandbox) -> None:
    assert run(box, "x = 10**10**8").limit in (Limit.WALL, Limit.MEMORY)


def test_ignored_signals_do_not_help(box: Sandbox) -> None:
    code = (
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\n"
    )
    assert run(box, code + "while True: pass").limit is Limit.WALL


def test_blocked_signals_do_not_help(box: Sandbox) -> None:
    code = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    assert run(box, code).limit is Limit.WALL


def test_many_processors_at_once_end_at_the_processor_limit() -> None:
    limits = Limits(wall_s=30, cpu_s=0.5, memory_mb=256)
    with Sandbox(limits, preload=[]) as own, own.session() as session:
        outcome = session.run("import os\nfor _ in range(3): os.fork()\nwhile True: pass")
    assert outcome.limit is Limit.CPU


def test_a_fork_bomb_ends(box: Sandbox) -> None:
    assert run(box, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass").limit is not None


def test_a_fork_that_is_refused_is_the_limit_of_processes() -> None:
    with Sandbox(Limits(wall_s=5, processes=4), preload=[]) as own, own.session() as session:
        outcome = session.run("import os, time\nfor _ in range(200):\n    if os.fork() == 0: time.sleep(100)")
        assert outcome.limit is Limit.PROCESSES
        assert session.run("1").value == "1"


def test_a_thread_bomb_ends(box: Sandbox) -> None:
    code = "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1000,)).start()"
    assert run(box, code).limit in (Limit.PROCESSES, Limit.MEMORY)


def test_threads_that_burn_on_between_two_steps_end_the_session() -> None:
    burn = "def burn():\n    while True: pass\nimport threading\nthreading.Thread(target=burn, daemon=True).start()"
    with Sandbox(Limits(cpu_s=0.2, wall_s=20), preload=[], spares=0) as own, own.session() as session:
        assert session.run(burn).error is None
        while usage.children(own.warm_pid):
            time.sleep(0.05)
        outcome = session.run("1")
    assert (outcome.limit, outcome.state_lost) == (Limit.CPU, True)


TRY = "def attempt(f, *a):\n    try: f(*a)\n    except OSError: pass\nimport os, time\n"


@pytest.mark.parametrize(
    "code",
    [
        "if os.fork() == 0: time.sleep(1000)",
        "if os.fork() == 0:\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)",
        "if os.fork() == 0:\n    attempt(os.setsid)\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)",
        "if os.fork() == 0:\n    attempt(os.setpgid, 0, 0)\n    time.sleep(1000)",
        "if os.fork() == 0:\n    while os.fork() == 0: pass\n    os._exit(0)",
        "import multiprocessing as m\nm.get_context('fork').Process(target=time.sleep, args=(1000,)).start()",
    ],
    ids=["child", "orphan", "setsid", "setpgid", "chain", "multiprocessing"],
)
def test_processes_end_with_the_step_that_started_them(box: Sandbox, code: str) -> None:
    with box.session() as session:
        session.run(TRY + code)
        session.run("1")
        assert len(running(box)) <= 1 + (SPARES if box.namespaces else 0)
        assert session.run("2").value == "2"


def test_a_chain_of_forks_that_outruns_every_list_ends(box: Sandbox) -> None:
    with box.session() as session:
        session.run("import os\nif os.fork() == 0:\n    while True:\n        if os.fork(): os._exit(0)")
        session.run("1")
        assert session.run("2").value == "2"
    assert leftovers(box) == ([], [])


@pytest.mark.parametrize(
    "code", ["import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)", "import os; os.abort()"]
)
def test_the_end_of_the_interpreter_is_a_crash(box: Sandbox, code: str) -> None:
    with box.session() as session:
        session.run("kept = 1")
        outcome = session.run("import os; " + code)
        if "getpid" in code and outcome.limit is None:
            assert outcome.error is not None  # where no signal may be sent at all
            return
        assert (outcome.limit, outcome.state_lost) == (Limit.CRASH, True)


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "raise SystemExit", "exit()", "quit(1)"])
def test_sys_exit_ends_the_code_and_keeps_the_state(box: Sandbox, code: str) -> None:
    outcome = run(box, code)
    assert outcome.error is not None
    assert not outcome.state_lost


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(10**10)",
        "x = []\nwhile True: x.append(bytearray(2**20))",
        "x = 'a'\nwhile True: x += x",
        "import mmap\nx = mmap.mmap(-1, 2**33)",
        "import numpy as np\nx = np.ones((10**5, 10**5))",
        "x = []\nwhile True: x = [x, x[:]]",
    ],
)
def test_a_memory_bomb_ends_at_the_memory_limit(box: Sandbox, code: str) -> None:
    assert run(box, code).limit in (Limit.MEMORY, Limit.WALL)


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_memory_bomb_in_many_processes_ends_at_the_memory_limit(namespaces: bool) -> None:
    code = "for _ in range(6):\n    if os.fork() == 0: break\nx = bytearray(b'1') * (120 * 2**20)\ntime.sleep(1000)"
    limits = Limits(wall_s=60, cpu_s=60, memory_mb=256)
    with Sandbox(limits, preload=[], namespaces=namespaces) as own, own.session() as session:
        assert session.run("import os, time\n" + code).limit is Limit.MEMORY


def test_endless_recursion_is_an_error(box: Sandbox) -> None:
    outcome = run(box, "def f(): return f()\nf()")
    assert outcome.error is not None
    assert outcome.error.type == "RecursionError"


def test_recursion_without_a_limit_is_a_crash(box: Sandbox) -> None:
    code = "class A:\n    def __getattr__(self, n): return getattr(self, n + 'x')\nA().x"
    assert run(box, "import sys\nsys.setrecursionlimit(10**9)\n" + code).limit in (
        Limit.CRASH,
        Limit.MEMORY,
        Limit.WALL,
    )


def test_endless_output_without_a_newline_ends(box: Sandbox) -> None:
    outcome = run(box, "while True: print('a' * 100, end='')")
    assert (outcome.limit, outcome.state_lost) == (Limit.OUTPUT, False)
    assert len(outcome.stdout) < 2 * LIMITS.output_chars


def test_long_output_keeps_head_and_tail_and_says_what_was_cut(box: Sandbox) -> None:
    outcome = run(box, "print('h' * 3000 + 't' * 3000)")
    assert outcome.limit is None
    assert outcome.stdout.startswith("hhh")
    assert outcome.stdout.endswith("ttt\n")
    assert "4,001 characters cut" in outcome.stdout


def test_output_past_python_is_not_seen_and_does_no_harm(box: Sandbox) -> None:
    assert (
        run(
            box, "import os\nfor fd in (0, 1, 2):\n    try: os.write(fd, b'x' * 10**6)\n    except OSError: pass"
        ).stdout
        == ""
    )


def test_garbage_on_the_pipe_ends_the_session_only(box: Sandbox) -> None:
    assert run(box, "import os\nos.write(3, b'\\xff' * 100)").state_lost


@pytest.mark.parametrize(
    "text", ['{"op": "done"}', "[" * 100_000, '{"op": "call"}', '{"op": "nonsense"}', "null", "\\ud800"]
)
def test_forged_messages_on_the_pipe_do_no_harm(box: Sandbox, text: str) -> None:
    with box.session() as session:
        session.run(f"import os, struct\nt = {text!r}.encode()\nos.write(3, struct.pack('>I', len(t)) + t)")
        session.run("1")
        assert session.run("2").value == "2"


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("f = open('big', 'wb')\nwhile True: f.write(b'1' * 2**20)", (Limit.FILES,)),
        ("f = open('sparse', 'wb')\nf.truncate(2**40)", (Limit.FILES,)),
        ("f = open('sparse', 'wb')\nf.seek(2**40)\nf.write(b'1')\nf.flush()", (Limit.FILES,)),
        ("for n in range(10**6): open(str(n), 'w').close()", (Limit.FILES, Limit.WALL)),
        ("import os\nfor n in range(10**6): os.mkdir(str(n))", (Limit.FILES, Limit.WALL)),
        ("for n in range(100):\n    with open(str(n), 'wb') as f: f.write(b'1' * 2**20)", (Limit.FILES,)),
        ("keep = [open('/dev/null') for _ in range(10**6)]", (Limit.FILES,)),
    ],
    ids=["fill", "truncate", "seek", "files", "folders", "many", "descriptors"],
)
def test_files_end_at_their_limit(box: Sandbox, code: str, limits: tuple[Limit, ...]) -> None:
    assert run(box, code).limit in limits


@pytest.mark.parametrize(
    "code",
    [
        "for _ in range(50):\n    os.mkdir('d' * 200)\n    os.chdir('d' * 200)",
        "for _ in range(10**5):\n    os.mkdir('d')\n    os.chdir('d')",
        "os.makedirs('a/b')\nopen('a/b/c', 'w').close()\nos.chmod('a/b', 0)\nos.chmod('a', 0)\nos.chmod('.', 0)",
        "os.mkdir('a')\nos.symlink('..', 'a/up')\nos.symlink('/', 'a/root')\nos.symlink('a', 'loop')",
        "open('x' * 255, 'w').close()\nopen('new\\nline', 'w').close()\nopen(b'\\xff\\xfe', 'w').close()",
    ],
    ids=["long", "deep", "closed", "links", "names"],
)
def test_folders_are_removed_whatever_is_in_them(box: Sandbox, code: str) -> None:
    with box.session() as session:
        assert session.run("import os\n" + code).limit in (None, Limit.FILES, Limit.WALL)
    assert leftovers(box) == ([], [])


def test_a_repr_that_raises_is_the_codes_error(box: Sandbox) -> None:
    outcome = run(box, "class R:\n    def __repr__(self): raise ValueError('no repr')\nR()")
    assert outcome.error is not None
    assert outcome.error.message == "no repr"


def test_a_repr_that_never_ends_is_stopped(box: Sandbox) -> None:
    assert run(box, "class R:\n    def __repr__(self):\n        while True: pass\nR()").limit is Limit.WALL


def test_a_huge_repr_is_cut(box: Sandbox) -> None:
    outcome = run(box, "'a' * 10**6")
    assert outcome.value is not None
    assert "characters cut" in outcome.value
    assert len(outcome.value) < 2 * LIMITS.value_chars


def test_a_repr_that_is_no_text_is_the_codes_error(box: Sandbox) -> None:
    assert run(box, "class R:\n    def __repr__(self): return 3\nR()").error is not None


def test_an_error_whose_message_raises_is_shown(box: Sandbox) -> None:
    outcome = run(box, "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E")
    assert outcome.error is not None
    assert outcome.error.type == "E"


def test_a_huge_final_answer_is_refused(box: Sandbox) -> None:
    outcome = run(box, "final_answer('a' * 10**6)")
    assert (outcome.limit, outcome.is_final) == (Limit.VALUE, False)


def test_finalizers_that_run_later_do_no_harm(box: Sandbox, tmp_path: Path) -> None:
    code = f"""
import atexit, weakref, gc, threading
class D:
    def __del__(self):
        while True: pass
d = D(); d.me = d
atexit.register(lambda: open('{tmp_path}/was_here', 'w'))
weakref.finalize(d, print, 'x')
threading.Timer(0.05, lambda: open('{tmp_path}/was_here', 'w')).start()
del d
"""
    with box.session() as session:
        session.run(code)
        assert session.run("import gc; gc.collect()").limit is Limit.WALL
        assert session.run("2").value == "2"
    assert os.listdir(tmp_path) == []


def test_replaced_builtins_hurt_only_the_session(box: Sandbox) -> None:
    with box.session() as session:
        session.run("import builtins, os, json, sys\nbuiltins.len = builtins.str = os.write = json.dumps = None")
        session.run("1")
        with box.session() as other:
            assert other.run("import json; len(json.dumps(str(1)))").value == "3"


FLOODS = ('{"op": "out", "text": "a"}', '{"op": "call", "call": 1, "name": "x"}', '{"op": "hello"}')


@pytest.mark.parametrize("text", FLOODS)
def test_a_flood_of_messages_ends_the_session_only(box: Sandbox, text: str) -> None:
    code = f"import os, struct\nt = {text!r}.encode()\nt = (struct.pack('>I', len(t)) + t) * 1000\n"
    assert run(box, code + "while True: os.write(3, t)").state_lost


def test_a_flood_of_messages_between_two_steps_ends_the_session_only(box: Sandbox) -> None:
    flood = 'def flood():\n    while True: os.write(3, b\'\\0\\0\\0\\x0d{"op": "out"}\')\n'
    with box.session() as session:
        session.run("import os, threading\n" + flood + "threading.Timer(0.05, flood).start()")
        while not session.run("import time; time.sleep(0.1)").state_lost:
            pass
        assert session.run("2").value == "2"


def test_tools_are_called_so_often_and_no_more(namespaced: Sandbox) -> None:
    calls = []
    with namespaced.session(tools={"note": calls.append}) as session:
        outcome = session.run("for n in range(1000): note(n)")
    assert len(calls) == LIMITS.tool_calls
    assert outcome.error is not None
    assert "tool calls a step" in outcome.error.message


def test_a_closed_pipe_is_a_crash(box: Sandbox) -> None:
    assert run(box, "import os\nos.closerange(0, 100)").limit is Limit.CRASH

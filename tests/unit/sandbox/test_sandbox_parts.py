"""The parts that need no process: messages, cut text, limits, what the kernel offers, what is read of it."""

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentdistill.config.sandbox import SandboxConfig
from agentdistill.errors import SandboxError
from agentdistill.handles import Application
from agentdistill.sandbox import Limits, Sandbox, wire
from agentdistill.sandbox.host import folders, usage
from agentdistill.sandbox.host.session import Entry
from agentdistill.sandbox.host.tools import Answers, ToolLog
from agentdistill.sandbox.inside import lockdown
from agentdistill.sandbox.inside.capture import Capture, OutputLimit, cut
from agentdistill.sandbox.service.client import ServiceSandbox
from agentdistill.sandbox.service.scaling import replicas_needed


def test_messages_survive_in_any_pieces() -> None:
    messages = [{"op": "run", "code": "é\ud800" * 10}, {"op": "x", "n": [1, None, 2.5]}]
    data = b"".join(map(wire.encode, messages))
    decoder = wire.Decoder()
    found = [message for at in range(len(data)) for message in decoder.feed(data[at : at + 1])]
    assert found == messages


@pytest.mark.parametrize("payload", [b"\xff", b"[1]", b"{", b"null", b"[" * 100_000, b"9" * 10_000])
def test_bytes_that_are_no_message_are_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(wire.ProtocolError):
        list(wire.Decoder().feed(len(payload).to_bytes(4, "big") + payload))


def test_a_frame_that_announces_too_much_is_refused_at_once() -> None:
    with pytest.raises(wire.ProtocolError, match="was announced"):
        list(wire.Decoder().feed(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize("sizes", [[10], [100], [1] * 250, [99, 2, 1000], [10_000]])
def test_captured_text_is_whole_or_head_and_tail(sizes: list[int]) -> None:
    text = "".join(chr(97 + number % 26) for number in range(sum(sizes)))
    capture, at = Capture(100, lambda _: None), 0
    for size in sizes:
        capture.write(text[at : at + size])
        at += size
    if len(text) <= 100:
        assert capture.text() == text
    else:
        head, note, tail = capture.text().split("\n")
        assert (head, tail) == (text[:50], text[-50:])
        assert f"{len(text) - 100:,} characters cut" in note


def test_capture_ends_code_that_prints_without_end() -> None:
    capture = Capture(10, lambda _: None)
    for _ in range(1_000):
        capture.write("a")
    with pytest.raises(OutputLimit):
        capture.write("a")


def test_capture_is_a_text_stream() -> None:
    capture = Capture(10, lambda _: None)
    assert isinstance(capture, io.TextIOBase)
    with pytest.raises(TypeError):
        capture.write(b"x")  # type: ignore[arg-type]


def test_cut_keeps_short_text() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcdef", 2) == "a\n... [4 characters cut] ...\nf"


@pytest.mark.parametrize("name", ["wall_s", "memory_mb", "processes", "output_chars"])
def test_limits_that_allow_nothing_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"Limits.{name} is 0; expected"):
        Sandbox(Limits(**{name: 0}))


def test_a_sandbox_holds_the_limits_of_its_config() -> None:
    config = SandboxConfig(limits=Limits(wall_s=3, processes=2))
    assert Sandbox.from_config(config).limits is config.limits


def test_the_probe_is_plain_data() -> None:
    found = lockdown.probe()
    assert json.loads(json.dumps(found.as_dict()))["kernel"] == found.kernel
    assert found.namespaces is (found.namespaces_why == "")


def test_what_a_session_may_read_holds_neither_this_package_nor_the_hosts_files() -> None:
    own = Path(lockdown.__file__).resolve()
    for path in map(Path, lockdown.readable()):
        assert not own.is_relative_to(path.resolve())
        assert path not in (Path("/"), Path("/etc"), Path("/home"), Path("/root"), Path("/proc"), Path("/tmp"))


def test_a_kernel_that_lacks_something_is_an_error_that_says_what() -> None:
    """Under a filter that hides Landlock, as an old kernel would."""
    code = (
        "import errno, pyseccomp as s\n"
        "f = s.SyscallFilter(s.ALLOW)\n"
        "f.add_rule(s.ERRNO(errno.ENOSYS), 444)\n"
        "f.load()\n"
        "from agentdistill.sandbox import Sandbox\n"
        "try:\n    Sandbox(preload=[]).start()\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
        "with Sandbox(preload=[], lockdown='relaxed') as box, box.session() as session:\n"
        "    print(session.run('1 + 1').value)\n"
    )
    root = str(Path(lockdown.__file__).resolve().parents[3])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    first, second = done.stdout.splitlines()
    assert first.startswith("SandboxError")
    assert "missing: Landlock in the kernel" in first
    assert second == "2"
    assert "lockdown=relaxed: sessions run without Landlock" in done.stderr


def test_a_module_to_preload_that_is_not_there_is_named() -> None:
    with pytest.raises(SandboxError, match="no_such_module"):
        Sandbox(preload=["no_such_module"]).start()


def test_lockdown_takes_two_words() -> None:
    with pytest.raises(ValueError, match="required or relaxed"):
        Sandbox(lockdown="off")


def test_a_failed_start_leaves_no_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SandboxError):
        Sandbox(preload=["no_such_module"]).start()
    assert list(tmp_path.iterdir()) == []


def test_usage_of_this_process_is_read() -> None:
    used = usage.of_process(os.getpid())
    assert used.resident_bytes > 10**6
    assert used.tasks >= 1
    assert usage.cpu_s(os.getpid()) > 0


def test_usage_of_a_process_that_is_gone_is_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert usage.of_process(child.pid) == usage.Usage()
    assert usage.cpu_s(child.pid) == 0.0


def test_a_folder_is_counted_with_what_is_below(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 10_000)
    size, entries = usage.of_folder(tmp_path, 100)
    assert entries == 2
    assert size >= 10_000


def test_what_goes_to_workers_pickles() -> None:
    for thing in (Limits(wall_s=3), SandboxConfig(replicas=2, max_replicas=3), Entry("x", ({"name": "a"},))):
        assert pickle.loads(pickle.dumps(thing)) == thing
    client = pickle.loads(pickle.dumps(ServiceSandbox("box", patience_s=7)))
    assert client.patience_s == 7
    assert pickle.loads(pickle.dumps(Application("box"))).__getstate__() == {"_name": "box", "_handle": None}


async def test_a_tool_that_hangs_is_a_timeout_error() -> None:
    import asyncio

    answers = Answers({"hang": lambda: asyncio.sleep(100)}, 0.05, share=False)
    found = await answers.answer({"name": "hang", "args": [], "kwargs": {}}, ToolLog())
    assert found["error"]["type"] == "TimeoutError"
    assert "hang() did not answer" in found["error"]["message"]


async def test_a_tool_that_is_not_there_is_a_name_error() -> None:
    found = await Answers({}, 1, share=False).answer({"name": "rm", "args": [], "kwargs": {}}, ToolLog())
    assert found["error"]["type"] == "NameError"


def test_the_package_imports_without_heavy_libraries() -> None:
    code = (
        "import sys, agentdistill.sandbox, agentdistill.sandbox.service.client\n"
        "print([m for m in ('ray', 'numpy', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_where_landlock_does_not_scope_signals_the_filter_refuses_to_send_any() -> None:
    code = (
        "import os\n"
        "from agentdistill.sandbox import system\nfrom agentdistill.sandbox.inside import syscalls\n"
        "system.set_no_new_privs()\n"
        "system.load_filter(syscalls.build(signals_are_scoped=False))\n"
        "try:\n    os.kill(os.getpid(), 0)\n"
        "except PermissionError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def autoscaling(fullness: list[float], calls: float) -> SimpleNamespace:
    """What Ray Serve tells its policy, as far as ours asks."""
    series = {str(number): [SimpleNamespace(value=value)] for number, value in enumerate(fullness)}
    config = SimpleNamespace(target_ongoing_requests=8)
    return SimpleNamespace(raw_metrics={"fullness": series}, total_num_requests=calls, config=config)


@pytest.mark.parametrize(
    ("fullness", "calls", "replicas"),
    [([0.0], 0, 1), ([0.7], 2, 1), ([1.0], 2, 2), ([0.1], 17, 3), ([1.0, 1.0], 0, 3), ([0.2, 0.2], 0, 1), ([], 0, 1)],
    ids=["idle", "room", "full", "calls", "two full", "two idle", "none yet"],
)
def test_replicas_follow_the_sessions_held_and_the_calls_under_way(fullness, calls, replicas) -> None:
    assert replicas_needed(autoscaling(fullness, calls)) == (replicas, {})


def test_a_folder_is_held_until_its_last_owner_has_ended_and_swept_then(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own, hold = folders.make_held("held-")
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(command, pass_fds=[hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    os.close(hold)
    (own / "file").touch()
    folders.sweep("held-")
    assert own.exists()
    child.kill()
    child.communicate()
    (tmp_path / "other").mkdir()
    folders.sweep("held-")
    assert os.listdir(tmp_path) == ["other"]


def test_a_link_is_not_swept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "held-link").symlink_to(tmp_path / "precious")
    folders.sweep("held-")
    assert (tmp_path / "precious" / "file").exists()


def test_a_folder_is_removed_however_deep(tmp_path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    folders.remove(str(tmp_path / "d"))
    assert list(tmp_path.iterdir()) == []
    folders.remove(str(tmp_path / "d"))


def test_a_session_reads_packages_that_are_reached_through_a_symbolic_link(tmp_path: Path) -> None:
    link, elsewhere = tmp_path / "venv", tmp_path / "elsewhere" / "site-packages"
    elsewhere.mkdir(parents=True)
    link.symlink_to(elsewhere.parent)

    assert lockdown._tops([str(link / "site-packages")], "/sessions") == (f"/{elsewhere.resolve().parts[1]}",)
    assert lockdown._tops([str(link / "site-packages")], str(tmp_path)) == (str(elsewhere.resolve()),)


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="this Python is in no virtual environment")
def test_a_session_imports_from_a_virtual_environment_that_is_reached_through_a_link() -> None:
    script = "\n".join(
        [
            "from agentdistill.sandbox import Sandbox",
            "with Sandbox(preload=['sympy']) as sandbox, sandbox.session() as session:",
            "    print(session.run('import sympy.tensor.tensor; print(sympy.tensor.tensor.Tensor.__name__)'))",
        ]
    )
    link = Path("/dev/shm") / f"agentdistill-test-{os.getpid()}"  # lies below another top folder
    link.symlink_to(sys.prefix)
    try:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        command = [str(link / "bin" / "python"), "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    finally:
        link.unlink()

    assert done.returncode == 0, done.stderr
    assert "stdout='Tensor" in done.stdout


def test_a_session_imports_the_standard_library_and_what_is_preloaded() -> None:
    with Sandbox(preload=["filelock"]) as sandbox, sandbox.session() as session:
        assert session.run("import statistics, filelock, filelock._error").error is None
        assert session.run("import yaml").error.type == "ModuleNotFoundError"

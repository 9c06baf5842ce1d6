"""Code that wants out: the kernel says no."""

import os
import socket

import pytest

import agentdistill
from agentdistill.sandbox import Sandbox
from agentdistill.types import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unharmed")]

LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"


def run(box: Sandbox, code: str) -> Outcome:
    with box.session() as session:
        outcome = session.run(code)
        assert not outcome.state_lost, outcome
        return outcome


def refused(outcome: Outcome, *kinds: str) -> bool:
    return outcome.error is not None and outcome.error.type in (kinds or ("PermissionError", "OSError"))


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.system('id')",
        "import os; os.execv('/bin/sh', ['sh'])",
        "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
        "import subprocess; subprocess.run(['id'])",
        "import pty; pty.spawn('/bin/sh')",
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0](['id'])",
        "import numpy; numpy._core.__builtins__['__import__']('os').execv('/bin/sh', ['sh'])",
        "print.__self__.__import__('o' + 's').execv('/bin/sh', ['sh'])",
        "import base64; exec(base64.b64decode('aW1wb3J0IG9zOyBvcy5leGVjdignL2Jpbi9zaCcsIFsnc2gnXSk='))",
        "ｉｍｐｏｒｔ_ = __import__; ｉｍｐｏｒｔ_('os').execv('/bin/sh', ['sh'])",
        "eval('\\x5f\\x5fimport\\x5f\\x5f')('os').execv('/bin/sh', ['sh'])",
    ],
)
def test_no_program_is_started(box: Sandbox, code: str) -> None:
    outcome = run(box, code)
    assert refused(outcome) or (outcome.value or "0") != "0"


@pytest.mark.parametrize(
    "call",
    [
        "libc.execve(b'/bin/sh', None, None)",
        "libc.ptrace(16, 1, 0, 0)",
        "libc.mount(b'none', b'/', b'tmpfs', 0, None)",
        "libc.unshare(0x10000000)",
        "libc.setns(3, 0)",
        "libc.chroot(b'/')",
        "libc.setuid(0)",
        "libc.setgid(0)",
        "libc.setresuid(1, 1, 1)",
        "libc.personality(0)",
        "libc.memfd_create(b'x', 0)",
        "libc.shmget(1, 4096, 0o1666)",
        "libc.msgget(1, 0o1666)",
        "libc.process_vm_readv(1, None, 0, None, 0, 0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(425, 1, 0)",
        "libc.syscall(323, 0)",
        "libc.syscall(298, 0, 0, -1, -1, 0)",
        "libc.syscall(250, 0, 0)",
        "libc.syscall(434, 1, 0)",
        "libc.syscall(304, 0, 0, 0)",
        "libc.syscall(435, 0, 0)",
        "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
        "libc.prctl(22, 0)",
        "libc.prctl(4, 1)",
        "libc.prctl(36, 0)",
        "libc.mknod(b'dev', 0o020666, 259)",
        "libc.mkfifo(b'fifo', 0o600)",
        "libc.chown(b'.', 1, 1)",
        "libc.reboot(0)",
        "libc.inotify_init()",
        "libc.sched_setaffinity(0, 8, b'12345678')",
    ],
)
def test_system_calls_through_libc_are_refused(box: Sandbox, call: str) -> None:
    outcome = run(box, LIBC + f"{call}, ctypes.get_errno() in (1, 38)")
    assert outcome.value == "(-1, True)", outcome


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/hostname",
        "/proc/self/environ",
        "/proc/1/environ",
        "/proc/self/maps",
        "/proc/self/mem",
        "/sys/kernel/version",
        "/root/.bashrc",
        "/dev/mem",
        "/dev/shm/x",
        os.path.join(os.path.dirname(agentdistill.__file__), "sandbox", "zygote.py"),
        os.path.join(os.path.dirname(agentdistill.__file__), "types", "__init__.py"),
        os.path.abspath(__file__),
    ],
)
def test_files_of_the_host_cannot_be_read(box: Sandbox, path: str) -> None:
    assert refused(run(box, f"open({path!r}, 'rb').read(1)"), "PermissionError", "FileNotFoundError")


@pytest.mark.parametrize("folder", ["/", "/etc", "/proc", "/tmp", "/home", "/root", "/sys", "/dev", ".."])
def test_folders_of_the_host_cannot_be_listed(box: Sandbox, folder: str) -> None:
    outcome = run(box, f"import os; os.listdir({folder!r})")
    if folder == "..":
        assert outcome.value == "['0']"
    else:
        assert refused(outcome, "PermissionError", "FileNotFoundError")


def test_the_environment_is_empty(box: Sandbox) -> None:
    assert run(box, "import os; dict(os.environ)").value == "{}"
    assert run(
        box, LIBC + "libc.getenv.restype = ctypes.c_char_p\nlibc.getenv(b'PATH'), libc.getenv(b'HOME')"
    ).value == ("(None, None)")


def test_the_package_cannot_be_imported(box: Sandbox) -> None:
    assert refused(run(box, "import agentdistill"), "ModuleNotFoundError")


def test_only_the_pipe_is_open(box: Sandbox) -> None:
    code = "import os\nr = []\nfor n in range(3, 256):\n    try: os.fstat(n); r.append(n)\n    except OSError: pass\nr"
    assert run(box, code).value == "[3]"


def test_another_sessions_folder_is_closed(box: Sandbox) -> None:
    with box.session() as first, box.session() as second:
        first.run("open('secret', 'w').write('1')")
        path = (first.run("import os; os.getcwd()").value or "").strip("'")
        assert refused(second.run(f"open({path + '/secret'!r}).read()"), "PermissionError", "FileNotFoundError")
        assert refused(second.run(f"open({path + '/new'!r}, 'w')"), "PermissionError", "FileNotFoundError")
        assert refused(second.run(f"import os; os.listdir({path!r})"), "PermissionError", "FileNotFoundError")


@pytest.mark.parametrize(
    "code",
    [
        "open('/tmp/written-from-inside', 'w')",
        "open('/dev/shm/x', 'w')",
        "open('/var/tmp/x', 'w')",
        "import os; os.mkdir('/tmp/written-from-inside')",
        "import os, numpy; open(os.path.dirname(numpy.__file__) + '/x.py', 'w')",
        "import numpy; open(numpy.__file__, 'a')",
        "import os, numpy; os.unlink(numpy.__file__)",
        "import os, numpy; os.rename(numpy.__file__, 'x')",
        "import os, numpy; os.truncate(numpy.__file__, 0)",
        "import os, numpy; os.open(numpy.__file__, os.O_RDONLY | os.O_TRUNC)",
        "import os; os.link('/etc/passwd', 'p')",
        "import os; os.symlink('/etc/passwd', 'p'); open('p').read()",
        "import os; os.symlink('/tmp', 't'); open('t/written-from-inside', 'w')",
        "import os; os.mkfifo('f')",
        "import os; os.mknod('d', 0o020666, os.makedev(1, 1))",
        "import os, socket; socket.socket(socket.AF_UNIX).bind('s')",
        "import shutil; shutil.copy('/etc/shadow', 's')",
    ],
)
def test_nothing_outside_can_be_written_and_no_trick_reaches_it(box: Sandbox, code: str) -> None:
    assert refused(run(box, code), "PermissionError", "OSError", "FileNotFoundError")


@pytest.mark.parametrize(
    "change",
    [
        "os.chmod(path, 0)",
        "os.fchmod(os.open(path, os.O_RDONLY), 0)",
        "os.utime(path, (1, 1))",
        "os.chmod(os.path.dirname(path), 0)",
        "ctypes.CDLL(None).chmod(path.encode(), 0)",
        "ctypes.CDLL(None).syscall(452, -100, path.encode(), 0, 0)",
    ],
)
def test_modes_and_times_of_files_stay(box: Sandbox, change: str) -> None:
    import numpy

    def state(path: str) -> list[tuple[int, int]]:
        found = map(os.stat, (path, os.path.dirname(path)))
        return [(item.st_mode, item.st_mtime_ns) for item in found]

    before = state(numpy.__file__)
    run(box, f"import ctypes, os\npath = {numpy.__file__!r}\n{change}")
    assert state(numpy.__file__) == before


def test_files_of_the_session_can_be_copied_and_moved(box: Sandbox) -> None:
    code = "import shutil\nopen('a', 'w').write('1')\nshutil.copy2('a', 'b')\nshutil.move('b', 'c')\nopen('c').read()"
    assert run(box, code).value == "'1'"


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"])
def test_no_socket_of_any_family_can_be_made(box: Sandbox, family: str, kind: str) -> None:
    assert refused(run(box, f"import socket; socket.socket(socket.{family}, socket.{kind})"), "PermissionError")


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request as u; u.urlopen('http://169.254.169.254/latest/meta-data', timeout=1)",
        "import urllib.request as u; u.urlopen('http://127.0.0.1:8265/api/version', timeout=1)",
        "import socket; socket.create_connection(('127.0.0.1', 6379), timeout=1)",
        "import socket; socket.getaddrinfo('example.com', 80)",
        "import socket; socket.fromfd(3, socket.AF_UNIX, socket.SOCK_STREAM).connect('\\0abstract')",
        "import socket; socket.fromfd(3, socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', '\\0abstract')",
        "import socket; socket.fromfd(3, socket.AF_UNIX, socket.SOCK_STREAM).sendmsg([b'x'])",
    ],
)
def test_nothing_on_the_network_can_be_reached(box: Sandbox, code: str) -> None:
    assert refused(run(box, code), "PermissionError", "URLError", "gaierror", "OSError")


def test_a_listening_port_of_the_host_stays_untouched(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        assert refused(run(box, f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=1)"))
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "target",
    ["os.getppid()", "1", "-1", "host"],
)
def test_no_process_outside_gets_a_signal(box: Sandbox, target: str) -> None:
    with box.session() as other:
        other.run("kept = 1")
        pid = str(os.getpid()) if target == "host" else target
        with box.session() as session:
            outcome = session.run(f"import os; os.kill({pid}, 9)")
            # The kernel reports success for -1 even where no process got the signal.
            assert refused(outcome, "PermissionError", "ProcessLookupError") or target == "-1", outcome
        assert other.run("kept").value == "1"


def test_no_process_that_there_is_can_be_killed(box: Sandbox) -> None:
    there = sorted({*range(1, 200), *(int(name) for name in os.listdir("/proc") if name.isdigit())})
    code = f"""
import os
hit = []
for pid in set({there}) - {{os.getpid()}}:
    try:
        os.kill(pid, 9)
        hit.append(pid)
    except OSError:
        pass
hit
"""
    with box.session() as other:
        other.run("kept = 1")
        assert run(box, code).value == "[]"
        assert other.run("kept").value == "1"


def test_frames_and_tracebacks_lead_to_nothing_of_the_host(box: Sandbox) -> None:
    code = """
import sys, gc
frame, found = sys._getframe(), []
while frame:
    found += [str(frame.f_globals.get('__name__')), *map(str, frame.f_locals)]
    frame = frame.f_back
secrets = [name for name in found if 'token' in name.lower() or 'environ' in name.lower()]
files = [o for o in gc.get_objects() if type(o).__name__ in ('TextIOWrapper', 'FileIO')]
secrets, [o.name for o in files if not o.closed and o.fileno() > 3]
"""
    assert run(box, code).value == "([], [])"


def test_set_user_id_files_gain_nothing(box: Sandbox) -> None:
    assert refused(run(box, "import os; os.execv('/usr/bin/su', ['su'])"))
    code = "import os\nopen('p', 'w').close()\nos.chmod('p', 0o6777)\nos.stat('p').st_mode & 0o6000"
    assert run(box, code).value == "0"


def test_capabilities_are_gone(box: Sandbox) -> None:
    code = (
        LIBC
        + """
class H(ctypes.Structure): _fields_ = [('v', ctypes.c_uint32), ('p', ctypes.c_int)]
data = (ctypes.c_uint32 * 6)()
libc.capget(ctypes.byref(H(0x20080522, 0)), ctypes.byref(data))
list(data)
"""
    )
    assert run(box, code).value == "[0, 0, 0, 0, 0, 0]"

"""The warm process: it has the modules imported, forks one process per session, and buries the dead.

Started by `exec` with a socket to the host as its only tie (a fork of the host, with its threads and secrets, would
be neither safe nor clean). It never reads anything that a session wrote.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from agentdistill.sandbox import system
from agentdistill.sandbox.host import folders
from agentdistill.sandbox.inside import life, lockdown, namespaces, selfpipe

_MESSAGE_BYTES = 65_536
_STDERR, _SESSION_FD, _MAX_FD = 2, 3, 1_048_576
_INT = struct.Struct("i")


#: From before asyncio gets pipes in place of socket pairs.
_socketpair = functools.partial(socket.socketpair, socket.AF_UNIX, socket.SOCK_SEQPACKET)


@dataclass(frozen=True)
class _Spare:
    """A process that waits to become a session."""

    pid: int
    handover: socket.socket


class Zygote:
    def __init__(self, control: socket.socket, settings: dict[str, Any], plan: lockdown.Plan, why_not: str) -> None:
        self.control, self.settings, self.plan = control, settings, plan
        self.why_not = why_not  # why there are no namespaces, or ""
        self.host_gone = False
        self.spares: dict[int, _Spare] = {}  # by the number of the session that each is for
        self.spares_fail = False  # one could not be forked, or ended unused: none is tried before the next session
        self.last_number = 0
        self.mains: dict[int, int] = {}  # session number -> pid of the process that holds its state
        self.groups: dict[int, int] = {}  # session number -> process group
        self.dying: set[int] = set()  # sessions whose main process is gone and whose group may not be
        self.closing: set[int] = set()  # sessions whose end the host waits for

    def serve(self) -> None:
        """Fork and bury until the host closes the control socket."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.inherited = (wake_read, wake_write)
        self._prepare_spares()
        self._tell({"op": "ready", "namespaces_why": self.why_not, "missing": self.plan.missing})
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                self._bury()
            if self.control.fileno() in ready:
                self._catch_up()
            if self.host_gone:
                return
            self._prepare_spares()

    def _receive(self) -> tuple[dict[str, Any], int] | None:
        """(the host's next command, the descriptor that came with it or -1); None where none waits any more."""
        try:
            room = socket.CMSG_SPACE(_INT.size)
            data, ancillary, _, _ = self.control.recvmsg(_MESSAGE_BYTES, room, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionError:
            data, ancillary = b"", []
        if not data:
            self.host_gone = True
            return None
        return json.loads(data), _INT.unpack(ancillary[0][2])[0] if ancillary else -1

    def _obey(self, command: dict[str, Any], fd: int) -> None:
        number = command["session"]
        if command["op"] == "open":
            self._open(number, fd, command["tools"])
        elif command["op"] == "commit":
            self._commit(number, command["pid"])
        elif command["op"] == "close":
            self.closing.add(number)
            self.dying.add(number)
            self._kill_group(number)
            self._forget_if_gone(number)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self.control.send(json.dumps(message).encode())
        except ConnectionError:
            self.host_gone = True

    def _open(self, number: int, fd: int, tools: list[str]) -> None:
        """Give the session's pipe to a process that waits for it, or to one that is forked now."""
        self.last_number, self.spares_fail = max(self.last_number, number), False
        spare = self.spares.pop(number, None)
        try:
            if spare is None or not _hand_over(spare, fd, tools):
                spare = self._fork(number)
                _hand_over(spare, fd, tools)
            self.mains[number] = self.groups[number] = spare.pid
        except OSError as error:
            self._tell({"op": "not_forked", "session": number, "message": error.strerror})
        finally:
            if fd >= 0:
                os.close(fd)

    def _prepare_spares(self) -> None:
        """Fork sessions ahead of time. The host numbers sessions in a row, so their numbers are known."""
        while len(self.spares) < self.settings["spares"] and not self.spares_fail:
            number = max([self.last_number, *self.spares]) + 1
            try:
                self.spares[number] = self._fork(number)
            except OSError:
                self.spares_fail = True

    def _fork(self, number: int) -> _Spare:
        """A process that has its lock on, and waits for its pipe to the host. Raises OSError."""
        folder, limits = self._folder(number), self.settings["limits"]
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        self._unmount(folder)
        if self.plan.namespaces:
            size = max(4, limits["file_mb"] * 1024)
            namespaces.mount_tmpfs(folder, f"size={size}k,nr_inodes={limits['files'] + 3},mode=700")
        ours, theirs = _socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_session(theirs.fileno(), folder, limits)
            except EOFError:
                os._exit(0)
            except BaseException as error:
                os.write(_STDERR, f"sandbox session: {type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(70)
        theirs.close()
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return _Spare(pid, ours)

    def _unmount(self, folder: str) -> None:
        if self.plan.namespaces:
            with contextlib.suppress(OSError):
                namespaces.unmount(folder)

    def _remove_folder(self, number: int) -> None:
        """Where only the warm process and its sessions see it; else the host does it."""
        if self.plan.namespaces:
            self._unmount(self._folder(number))
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(self._folder(number))

    def _folder(self, number: int) -> str:
        return os.path.join(self.settings["root"], str(number))

    def _become_session(self, fd: int, folder: str, limits: dict[str, Any]) -> None:
        """What a session must not have goes, the lock goes on; with the pipe the session begins."""
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(signum, signal.SIG_DFL)
        os.setpgid(0, 0)
        os.chdir(folder)
        lockdown.put_on(self.plan, folder, limits)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(fd, _SESSION_FD + 1)
        for standard in range(3):
            os.dup2(null, standard)
        os.closerange(_SESSION_FD + 2, _MAX_FD)
        life.warm_up()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, _SESSION_FD + 1) as handover:
            data, ancillary, _, _ = handover.recvmsg(_MESSAGE_BYTES, socket.CMSG_SPACE(_INT.size))
        if not data:
            raise EOFError("no session needs this process")
        (pipe,) = _INT.unpack(ancillary[0][2])
        if pipe != _SESSION_FD:
            os.dup2(pipe, _SESSION_FD)
            os.close(pipe)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, _SESSION_FD)
        life.main(sock, limits, json.loads(data), folder)

    def _commit(self, number: int, pid: int) -> None:
        """The fork `pid` holds the session's state from now on; the process before it goes."""
        old = self.mains.get(number)
        if old is None:
            return
        self.mains[number] = pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(old, signal.SIGKILL)

    def _bury(self) -> None:
        """Reap every dead child. A session whose main process died loses the rest of its group first."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:
                break
            if info is None:
                break
            self._catch_up()
            number = next((n for n, pid in self.mains.items() if pid == info.si_pid), None)
            if number is not None:
                self._kill_group(number)
            os.waitpid(info.si_pid, 0)
            self._drop_spare(info.si_pid)
            if number is not None:
                del self.mains[number]
                self.dying.add(number)
                self._tell({"op": "dead", "session": number, "status": info.si_status, "code": info.si_code})
        for number in list(self.dying):
            self._forget_if_gone(number)

    def _drop_spare(self, pid: int) -> None:
        for number, spare in list(self.spares.items()):
            if spare.pid == pid:
                spare.handover.close()
                del self.spares[number]
                self.spares_fail = True

    def _catch_up(self) -> None:
        """Carry out what the host has sent so far; before a death is judged, for a commit may have caused it."""
        while received := self._receive():
            self._obey(*received)

    def _kill_group(self, number: int) -> bool:
        """Kill every process of the session at once. False where there is none."""
        group = self.groups.get(number)
        if group is None:
            return False
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _forget_if_gone(self, number: int) -> None:
        if number in self.mains or self._kill_group(number):
            return
        self.groups.pop(number, None)
        self._remove_folder(number)
        self.dying.discard(number)
        if number in self.closing:
            self.closing.discard(number)
            self._tell({"op": "closed", "session": number})


def _hand_over(spare: _Spare, fd: int, tools: list[str]) -> bool:
    """Give a waiting process its pipe to the host. False where it is not there any more."""
    with spare.handover:
        try:
            socket.send_fds(spare.handover, [json.dumps(tools).encode()], [fd])
        except OSError:
            return False
    return True


class _Blocked:
    """An import hook that refuses the modules that the config names. For order, not for safety."""

    def __init__(self, names: list[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in self.names or name.partition(".")[0] in self.names:
            raise ImportError(f"the module {name} may not be imported here", name=name)


def _hide_package(blocked: list[str]) -> None:
    """Take this package out of the sessions' reach, as far as a name goes, and put blocked modules out of it."""
    parent = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
    if os.path.basename(parent) not in ("site-packages", "dist-packages"):
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != parent]
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")]
    sys.argv[:] = [""]
    sys.orig_argv[:] = [sys.orig_argv[0]]
    for name in [name for name in sys.modules if name.partition(".")[0] in {"agentdistill", *blocked}]:
        del sys.modules[name]
    if blocked:
        sys.meta_path.insert(0, _Blocked(blocked))  # type: ignore[arg-type]


def _clean(root: str) -> None:
    """Remove the folders of all sessions, mounts on them included. The host does it too, where it lives."""
    with contextlib.suppress(OSError):
        namespaces.unmount(root)  # and with it what is mounted below
    with contextlib.suppress(OSError):
        folders.remove(root)


def _preload(modules: list[str]) -> None:
    for name in modules:
        importlib.import_module(name)


def _freeze() -> None:
    """Make what is loaded cheap to share: no collection will touch it in a session."""
    gc.collect()
    gc.freeze()
    gc.disable()
    system.use_huge_pages()


def main() -> None:
    """Be the warm process: argv holds the descriptors of control socket and guard pipe, and the settings as JSON."""
    if os.fork():
        os._exit(0)
    control, guard_fd = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    settings = json.loads(sys.argv[3])
    control.send(b"starting")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        lacks = lockdown.check(required=settings["required"])
        why_not = namespaces.enter() if settings["namespaces"] else "switched off"
        namespaces.guard(control, guard_fd, functools.partial(_clean, settings["root"]))
        system.set_child_subreaper()
        _preload(settings["preload"])
        if not why_not:
            # Each session has a folder of its own: in memory, making and removing it costs the disk's journal nothing.
            namespaces.mount_tmpfs(settings["root"], "size=1m,mode=700")
        plan = lockdown.prepare(settings["root"], lacks, in_namespaces=not why_not)
        _freeze()
        if not why_not:
            namespaces.mount_tmpfs("/proc", "size=4k,nr_inodes=1,mode=555")
    except Exception as error:
        control.send(json.dumps({"op": "failed", "message": f"{type(error).__name__}: {error}"}).encode())
        return
    os.environ.clear()
    warnings.simplefilter("ignore")
    selfpipe.install()
    _hide_package(settings["blocked_imports"])
    Zygote(control, settings, plan, why_not).serve()

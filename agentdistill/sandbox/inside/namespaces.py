"""User, pid, net, ipc and mount namespaces for the warm process, where the kernel and the container allow them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

from agentdistill.sandbox import system
from agentdistill.sandbox.host import usage

_CLONE_NEWNS = 0x00020000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
_MNT_DETACH = 2

NAMES = ("user", "pid", "net", "ipc", "mount")


def enter() -> str:
    """Go into new namespaces. Returns why it was not possible, or "" where it was.

    The next child is the first process in its pid namespace: the kernel ends all others there with it. Needs a
    single-threaded process.
    """
    why = trial()
    if why:
        return why
    uid, gid = os.getuid(), os.getgid()
    system.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET)
    _map_ids(uid, gid)
    _make_private()
    return ""


def guard(control: socket.socket, guard_fd: int, at_end: Callable[[], None]) -> None:
    """Return in a child. The caller becomes its guardian: it outlives it, ends what it left running, calls `at_end`.

    The child alone keeps `control`, the guardian alone `guard_fd`: the end of each tells the host of its holder's end.
    """
    system.set_child_subreaper()
    child = os.fork()
    if child == 0:
        os.close(guard_fd)
        system.die_with_parent(signal.SIGKILL)
        return
    control.close()
    _, status = os.waitpid(child, 0)
    while left := usage.children(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                group = os.getpgid(pid)
                if group == os.getpgrp():  # forked a moment ago, it has not left our group yet
                    os.kill(pid, signal.SIGKILL)
                else:
                    os.killpg(group, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    at_end()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def trial() -> str:
    """Try all of it in a child. Returns what failed, or "". Needs a single-threaded process."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        why = "ended"
        try:
            uid, gid = os.getuid(), os.getgid()
            system.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET)
            _map_ids(uid, gid)
            _make_private()
            mount_tmpfs("/proc", "size=4k,nr_inodes=1,mode=555")
            why = ""
        except OSError as error:
            why = str(error)
        finally:
            os.write(write_end, why.encode()[:1000])
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        why = file.read().decode()
    os.waitpid(child, 0)
    return why


def _map_ids(uid: int, gid: int) -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _make_private() -> None:
    system.mount("none", "/", "", _MS_REC | _MS_PRIVATE, "")


def mount_tmpfs(folder: str, options: str) -> None:
    """A file system in memory at a folder. Raises OSError."""
    system.mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)


def unmount(folder: str) -> None:
    """Take a mount away now, in use or not. Raises OSError."""
    system.umount(folder, _MNT_DETACH)


def enter_user() -> None:
    """A user namespace of the session's own: RLIMIT_NPROC counts in it alone. Raises OSError.

    No id is mapped into it: files still see the real one, and nothing in it can gain another.
    """
    system.unshare(_CLONE_NEWUSER)


def describe_refusal(why_not: str) -> str:
    return "user namespaces are not allowed here: " + why_not if why_not else "namespaces: " + ", ".join(NAMES)

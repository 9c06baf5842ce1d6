"""The few kernel calls that Python's standard library does not offer."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_BPF_INSTRUCTION_BYTES = 8
_MADV_COLLAPSE = 25  # Linux 6.1; an older kernel refuses it, which costs nothing
_HUGE_PAGE_BYTES = 2 * 2**20
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl({option})")


def set_child_subreaper() -> None:
    """Orphans among the descendants become children of this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signum: int) -> None:
    """Get this signal when the parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signum)


def set_no_new_privs() -> None:
    """No exec may gain privileges from now on, set-uid files included."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_from_tracing() -> None:
    """Give the process's own /proc files to root, and refuse core dumps."""
    _prctl(_PR_SET_DUMPABLE, 0)


def unshare(flags: int) -> None:
    """Leave the namespaces that the flags name, for new ones. Raises OSError."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """mount(2). Raises OSError."""
    arguments = [text.encode() for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount {kind or 'flags'} at {target}")


def umount(target: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    _check(_libc.umount2(target.encode(), ctypes.c_int(flags)), f"umount {target}")


def use_huge_pages() -> None:
    """Put this process's private memory into huge pages where the kernel can: forks of it are cheaper then."""
    with open("/proc/self/maps", encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file]
    for line in lines:
        first, last = (int(part, 16) for part in line[0].split("-"))
        if line[1] == "rw-p" and (len(line) == 5 or line[5] == "[heap]") and last - first >= _HUGE_PAGE_BYTES:
            _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), ctypes.c_int(_MADV_COLLAPSE))


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Give up every capability, effective, permitted and inheritable. Raises OSError."""
    header = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def load_filter(program: bytes) -> None:
    """Put a seccomp filter, compiled by libseccomp, on this process. Needs no_new_privs. Raises OSError."""
    fprog = _Program(len(program) // _BPF_INSTRUCTION_BYTES, program)
    result = _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(fprog), 0, 0)
    _check(result, "the seccomp filter")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")

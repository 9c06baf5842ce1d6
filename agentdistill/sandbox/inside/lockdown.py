"""What keeps a session in: Landlock, a seccomp filter, rlimits, and namespaces on top where they are allowed.

Landlock through `landlockpy` (typed, no dependencies, knows every version of the interface), seccomp through
`pyseccomp` (the reference libseccomp, which resolves names and architectures); docs/sandbox.md says why these.
"""

from __future__ import annotations

import ctypes.util
import functools
import importlib.util
import os
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agentdistill.errors import SandboxError
from agentdistill.sandbox import system
from agentdistill.sandbox.inside import namespaces, syscalls

MIN_SCOPE_ABI = 6  # Landlock keeps signals inside the session from this version on
FORK_RESERVE = 64  # processes that the runner itself may add by try_all
HOST_RESERVE = 256  # processes of the user's own limit that sessions leave to the host and its warm processes

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_SHARED = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/localtime")


@dataclass(frozen=True, slots=True)
class Probe:
    """What the kernel and the installation offer to the sandbox."""

    kernel: str
    landlock_abi: int  # 0: not there
    signal_scope: bool  # Landlock keeps signals inside; else the filter refuses to send any
    seccomp: bool
    libseccomp: bool
    pidfd: bool
    namespaces: bool
    namespaces_why: str  # why not, where they are not allowed
    missing: tuple[str, ...]  # what lockdown=required needs and is not there, one phrase each

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def probe() -> Probe:
    """What is offered here, as data; changes nothing. Takes some tens of milliseconds."""
    abi = _landlock_abi()
    why = _namespaces_why()
    return Probe(
        kernel=platform.release(),
        landlock_abi=abi,
        signal_scope=abi >= MIN_SCOPE_ABI,
        seccomp=_has_seccomp(),
        libseccomp=_has_libseccomp(),
        pidfd=_has_pidfd(),
        namespaces=not why,
        namespaces_why=why,
        missing=tuple(missing()),
    )


def missing() -> Iterator[str]:
    """Each thing that is not there and that a locked-down session needs, as a phrase with the remedy."""
    if sys.platform != "linux":
        yield "Linux (this is " + sys.platform + ")"
        return
    if _landlock_abi() == 0:
        yield "Landlock in the kernel (Linux 5.13 or newer, with landlock in the boot parameter lsm=)"
    if not _has_seccomp():
        yield "seccomp filters in the kernel (CONFIG_SECCOMP_FILTER)"
    if not _has_libseccomp():
        yield "the library libseccomp.so.2 with pyseccomp (Debian and Ubuntu: the package libseccomp2)"
    if importlib.util.find_spec("landlockpy") is None:
        yield "the Python package landlockpy"
    if not _has_pidfd():
        yield "pidfd_open (Linux 5.3 or newer)"


def _landlock_abi() -> int:
    try:
        import landlockpy

        return int(landlockpy.abi_version())
    except (ImportError, OSError):
        return 0


def _has_seccomp() -> bool:
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as file:
            return "errno" in file.read().split()
    except OSError:
        return False


def _has_libseccomp() -> bool:
    return importlib.util.find_spec("pyseccomp") is not None and bool(ctypes.util.find_library("seccomp"))


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _namespaces_why() -> str:
    """Try it in a process of its own: this one may have threads."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from agentdistill.sandbox.inside.namespaces import trial; print(trial())"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run([sys.executable, "-I", "-c", code, root], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"the trial failed: {done.stderr.strip()[-200:]}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the warm process prepares once and each session puts on."""

    missing: tuple[str, ...]  # what a relaxed lockdown goes without
    namespaces: bool  # the warm process lives in namespaces of its own
    filter: bytes | None  # a compiled seccomp filter; None where relaxed and not there
    base: Any  # a Landlock ruleset with what every session may read, and the folder of all sessions; or None
    tops: tuple[str, ...]  # few folders that hold all of the former and none of the latter
    address_space: int  # bytes that the warm process maps


def check(*, required: bool) -> tuple[str, ...]:
    """What is missing. Raises SandboxError that says it, where it is required."""
    lacks = tuple(missing())
    if lacks and required:
        raise SandboxError("the sandbox cannot be locked down here; missing: " + "; ".join(lacks))
    return lacks


def prepare(root: str, lacks: tuple[str, ...], *, in_namespaces: bool) -> Plan:
    """Build the filter and the ruleset, once the modules are loaded."""
    scoped = _landlock_abi() >= MIN_SCOPE_ABI
    can_filter = _has_seccomp() and _has_libseccomp()
    files = readable()
    return Plan(
        missing=lacks,
        namespaces=in_namespaces,
        filter=syscalls.build(signals_are_scoped=scoped) if can_filter else None,
        base=_base_ruleset(files, root) if _landlock_abi() else None,
        tops=_tops(files, root),
        address_space=_address_space(),
    )


def readable() -> tuple[str, ...]:
    """Every path that a session may read: what Python and its packages need.

    A folder with installed packages is listed entry by entry, without this package: its source is not for sessions.
    """
    own = Path(__file__).resolve().parents[2]
    files: list[str] = []
    for entry in [*sys.path, f"{sys.base_prefix}/lib"]:
        folder = Path(entry)
        if not folder.is_dir() or (folder.resolve() == own.parent and not _is_site(folder)):
            continue
        if _is_site(folder):
            hidden = ("agentdistill", "__editable__")
            files += [str(item) for item in folder.iterdir() if not item.name.startswith(hidden)]
        else:
            files.append(str(folder))
    return tuple(dict.fromkeys([*files, *(path for path in _SHARED if os.path.exists(path))]))


def _tops(files: Sequence[str], root: str) -> tuple[str, ...]:
    """The first folders of these paths, as far as they do not lead to `root` too. Rules cost time in each session.

    Of the paths without symbolic links: a virtual environment that is reached through one lies below another folder.
    """
    found: dict[str, None] = {}
    root = os.path.realpath(root)
    for file in map(os.path.realpath, files):
        top = Path(file).parents[-2] if len(Path(file).parents) > 1 else Path(file)
        found[file if Path(root).is_relative_to(top) else str(top)] = None
    return tuple(found)


def _is_site(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages")


def _base_ruleset(files: Sequence[str], root: str) -> Any:
    from landlockpy import AccessFS, Ruleset, Scope

    ruleset = Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET)
    for path in files:
        _allow(ruleset, path, AccessFS.READ_FILE | AccessFS.READ_DIR)
    for path in _DEVICES:
        _allow(ruleset, path, AccessFS.READ_FILE | AccessFS.WRITE_FILE)
    _allow(ruleset, root, _own_access())
    return ruleset


@functools.cache
def _own_access() -> Any:
    """What a session may do in its own folder: all but run files, and make devices, sockets and FIFOs."""
    from landlockpy import AccessFS as A

    return (
        A.READ_FILE | A.READ_DIR | A.WRITE_FILE | A.TRUNCATE | A.REMOVE_DIR | A.REMOVE_FILE | A.MAKE_DIR | A.MAKE_REG
        | A.MAKE_SYM | A.REFER
    )  # fmt: skip


def _allow(ruleset: Any, path: str, access: Any) -> None:
    from landlockpy import AccessFS

    if not os.path.isdir(path):
        access &= AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE
    try:
        ruleset.allow_path(path, access)
    except FileNotFoundError:
        return


def put_on(plan: Plan, folder: str, limits: dict[str, Any]) -> None:
    """Lock this process and all that it will start, for good. Raises OSError, which ends the session's start."""
    if plan.namespaces:
        namespaces.enter_user()
    _set_rlimits(plan, limits)
    system.drop_capabilities()
    system.set_no_new_privs()
    if plan.base is not None:
        _restrict_files(plan, folder)
    system.hide_from_tracing()
    system.die_with_parent(signal.SIGKILL)
    system.set_child_subreaper()
    if plan.filter is not None:
        system.load_filter(plan.filter)


def _restrict_files(plan: Plan, folder: str) -> None:
    """Two layers that both must agree: what every session may read, and this session's own folder."""
    from landlockpy import AccessFS, Ruleset

    plan.base.restrict()
    plan.base.close()
    with Ruleset() as own:
        for path in plan.tops:
            _allow(own, path, AccessFS.READ_FILE | AccessFS.READ_DIR)
        _allow(own, "/dev", AccessFS.READ_FILE | AccessFS.WRITE_FILE)
        _allow(own, folder, _own_access())
        own.restrict()


def _set_rlimits(plan: Plan, limits: dict[str, Any]) -> None:
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, plan.address_space + limits["memory_mb"] * 2**20),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * 2**20),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        resource.setrlimit(name, (value, value))
    processes = _most_processes(plan, limits["processes"])
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def _most_processes(plan: Plan, own: int) -> int:
    """RLIMIT_NPROC of a session. Without a user namespace the kernel counts all processes of the user."""
    if plan.namespaces:
        return own + FORK_RESERVE
    allowed = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if allowed == resource.RLIM_INFINITY:
        return allowed
    return allowed - min(HOST_RESERVE, allowed // 8)


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

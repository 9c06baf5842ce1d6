"""How the C library's allocator treats the large, short-lived tensors of training on CPU."""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Have freed memory used again instead of given back to the kernel, where the C library is glibc.

    By default glibc maps every large tensor anew, and each of its pages costs a fault at the first touch; with rows of
    changing lengths its own adaptation never settles. One arena, since mappings are what others grow by.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)

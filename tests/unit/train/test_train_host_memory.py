"""Freed memory stays with a process that trains on CPU."""

import platform
import subprocess
import sys

import pytest

PROBE = """
import resource, sys
from agentdistill.train.host_memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
bytearray(64 * 2**20)
before = faults()
for _ in range(5):
    bytearray(64 * 2**20)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is set")
def test_what_was_freed_is_used_again_without_a_fault_a_page() -> None:
    def count(how: str) -> int:
        ended = subprocess.run([sys.executable, "-c", PROBE, how], capture_output=True, text=True, check=True)
        return int(ended.stdout)

    # How many a page makes depends on whether the kernel takes huge ones.
    assert count("keep") < count("plain") / 4

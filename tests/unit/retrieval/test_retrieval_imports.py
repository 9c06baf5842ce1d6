"""Nothing but the service imports Ray, and nothing imports torch or FAISS before it is needed."""

import subprocess
import sys

import pytest

MODULES = ("build", "cache", "client", "command", "corpus", "encode", "http", "local", "manifest", "prebuilt", "tool")


@pytest.mark.parametrize("module", MODULES)
def test_the_module_is_light(module):
    code = (
        f"import sys, agentdistill.retrieval.{module}\n"
        "heavy = {'ray', 'torch', 'faiss', 'sentence_transformers', 'bm25s', 'datasets'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

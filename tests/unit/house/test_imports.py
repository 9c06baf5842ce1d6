"""The pure part imports without torch, ray or vllm."""

import subprocess
import sys

import pytest

HEAVY = "('torch', 'ray', 'vllm', 'deepspeed', 'transformers', 'faiss', 'sentence_transformers')"


@pytest.mark.parametrize(
    "module",
    [
        "types", "errors", "schema", "config", "storage", "agent", "tasks", "grading", "engines", "environments",
        "rollout", "select", "evaluate", "cli", "run", "recipes.paper",
    ],
)  # fmt: skip
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, agentdistill.{module}; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_process_that_starts_training_does_not_import_deepspeed() -> None:
    code = (
        "import sys, agentdistill.train.job, agentdistill.train.launch.ray_train, agentdistill.train.worker, "
        "agentdistill.train.loop; print('deepspeed' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "False"

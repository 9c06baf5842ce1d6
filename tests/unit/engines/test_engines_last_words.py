"""What an engine's process died of reaches the process that opened it, once."""

import logging
import subprocess
import sys

import pytest

from agentdistill.engines import last_words
from agentdistill.engines.guardian import Guardian

#: Stands for an engine's process: listens as vLLM's plugin does, then reports its end as vLLM does.
ENGINE = """
import logging
from agentdistill.engines import last_words

last_words.listen()
last_words.listen()
logger = logging.getLogger("vllm.v1.engine.core")
try:
    raise {error}
except Exception:
    logger.{report}
"""
FATAL = 'exception("EngineCore encountered a fatal error.")'


@pytest.fixture
def guardian():
    guardian = Guardian()
    yield guardian
    guardian.kill()


def die(guardian: Guardian, error: str, report: str = FATAL) -> None:
    with guardian.marking():
        subprocess.run([sys.executable, "-c", ENGINE.format(error=error, report=report)], check=True)


def test_the_cause_is_told_once(guardian) -> None:
    die(guardian, 'RuntimeError("expect A to be bfloat16 or half.")')

    assert last_words.told(guardian.mark) == "RuntimeError: expect A to be bfloat16 or half."
    assert last_words.told(guardian.mark) == ""


def test_a_failed_start_has_a_cause_too(guardian) -> None:
    die(guardian, 'ValueError("no memory left for the KV cache")', 'exception("EngineCore failed to start.")')

    assert last_words.told(guardian.mark) == "ValueError: no memory left for the KV cache"


@pytest.mark.parametrize(
    "report", ['exception("Invocation of add_lora method failed")', 'error("EngineCore did not get a client")']
)
def test_what_does_not_end_the_engine_is_not_its_end(guardian, report: str) -> None:
    die(guardian, 'ValueError("no such adapter")', report)

    assert last_words.told(guardian.mark) == ""


def test_a_long_cause_is_cut(guardian) -> None:
    die(guardian, 'ValueError("x" * 100_000)')

    assert len(last_words.told(guardian.mark)) == 2_000


def test_one_engine_does_not_tell_of_another(guardian) -> None:
    other = Guardian()
    try:
        die(other, 'ValueError("of the other")')
        assert last_words.told(guardian.mark) == ""
        assert last_words.told(other.mark) == "ValueError: of the other"
    finally:
        other.kill()


def test_outside_an_engine_nobody_listens(monkeypatch) -> None:
    monkeypatch.delenv("AGENTDISTILL_ENGINE", raising=False)
    before = list(logging.getLogger("vllm.v1.engine.core").handlers)

    last_words.listen()

    assert logging.getLogger("vllm.v1.engine.core").handlers == before

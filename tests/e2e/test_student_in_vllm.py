"""A trained adapter as it is, merged, and merged in 8 bits: vLLM writes what transformers writes, or much like it."""

from pathlib import Path

import pytest
import torch
from train_parts import example, tiny_config, write_examples

from agentdistill import models
from agentdistill.config import EngineConfig
from agentdistill.config.train import LoraConfig
from agentdistill.engines.vllm import VllmEngine
from agentdistill.train.job import train
from agentdistill.train.model import adapter
from agentdistill.types import Request, Sampling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PRESET = "smollm2-135m"
MAX_TOKENS = 24
#: The system prompt and a question; the student learns what comes next.
MESSAGES = example(0).messages[:2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The packaged student's adapter after a few steps on short episodes."""
    folder = tmp_path_factory.mktemp("student")
    config = tiny_config(model=PRESET, lora=LoraConfig(r=8, alpha=16, dropout=0.0), epochs=5, learning_rate=3e-3)
    rows = [example(number, searches=number % 2) for number in range(8)]
    return Path(train(config, write_examples(folder, rows), str(folder / "run")).student)


@pytest.fixture(scope="module")
def expected(trained) -> list[int]:
    """What transformers and peft write with the adapter, greedily."""
    model = adapter.load_adapted(models.resolve(PRESET), trained)
    return greedy(model, trained)


def greedy(model, folder: Path) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    rows = [{"role": str(message.role), "content": message.content} for message in MESSAGES]
    text = tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    written = model.generate(input_ids=ids, max_new_tokens=MAX_TOKENS, do_sample=False)
    return written[0, ids.shape[1] :].tolist()


async def write(config: EngineConfig) -> tuple[str, list[int]]:
    engine = await VllmEngine.open(config)
    try:
        (completion,) = await engine(Request(MESSAGES, Sampling(max_tokens=MAX_TOKENS)))
    finally:
        await engine.close()
    return completion.text, list(completion.token_ids)


def engine_config(model: str, **changes) -> EngineConfig:
    settings = {"max_model_len": 512, "max_num_seqs": 4, "kv_cache_gb": 1, "dtype": "float32", **changes}
    return EngineConfig(engine="vllm", model=model, **settings)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of this test's own, with the preset in it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / PRESET).symlink_to(models.resolve(PRESET))
    monkeypatch.setenv("AGENTDISTILL_CACHE", str(tmp_path))
    return tmp_path


async def test_vllm_writes_with_the_adapter_beside_its_model_what_peft_writes(trained, expected, cache):
    text, token_ids = await write(engine_config(PRESET, adapter=str(trained), merge_adapter=False))

    assert token_ids == expected
    assert text.startswith("Thought: ")
    assert not (cache / "merged").exists()


async def test_vllm_writes_with_the_adapter_merged_by_itself_what_peft_writes(trained, expected, cache):
    _, token_ids = await write(engine_config(PRESET, adapter=str(trained), merge_adapter=True))

    assert token_ids == expected
    assert list((cache / "merged").iterdir())


async def test_vllm_writes_like_the_student_with_an_int8_copy_of_it(trained, cache):
    text, _ = await write(engine_config(PRESET, adapter=str(trained), quantization="int8"))

    assert text.startswith("Thought: ")
    assert list((cache / "int8").iterdir())

"""An engine with 8-bit weights on CPU: tokens read and written a second.

    python benchmarks/int8.py [--quick] [--json] [--model NAME]

The peers are the same engine with the weights as they are, and vLLM's own kernels for 8-bit weights (its plugins off).
Each engine is opened in a process of its own, one after the other, in turn over the repeats.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_REPOSITORY))

from claims import Claim, arguments, finish, times_better

_TEXT = "the sum of two numbers and a square root of their product is greater than one prime that divides it"
_OPENINGS = {  # name: (quantization, environment)
    "int8": ("int8", {}),
    "float": (None, {}),
    "vllm_int8": ("int8", {"VLLM_PLUGINS": ""}),
}


async def measure(model: str, quantization: str | None, sequences: int, read: int, write: int) -> dict[str, float]:
    """Tokens a second: prompts of `read` words with one token each, then `write` tokens each after short prompts."""
    from agentdistill.config import EngineConfig
    from agentdistill.engines.vllm import VllmEngine
    from agentdistill.types import Message, Request, Role, Sampling

    settings = {"max_model_len": 1024, "max_num_seqs": sequences, "kv_cache_gb": 2, "stall_s": 900}
    engine = await VllmEngine.open(EngineConfig(engine="vllm", model=model, quantization=quantization, **settings))
    draw = random.Random(0)

    async def all_of(words: int, tokens: int) -> tuple[float, int]:
        def request() -> Request:
            text = " ".join(draw.choice(_TEXT.split()) for _ in range(words))
            return Request((Message(Role.USER, text),), Sampling(max_tokens=tokens))

        started = time.perf_counter()
        answers = [answer for [answer] in await asyncio.gather(*(engine(request()) for _ in range(sequences)))]
        prompts = sum(answer.num_prompt_tokens for answer in answers)
        return time.perf_counter() - started, prompts if tokens == 1 else sum(a.num_completion_tokens for a in answers)

    try:
        await all_of(4, 2)  # what is made at the first request
        read_s, read_tokens = await all_of(read, 1)
        once_s, _ = await all_of(4, 1)
        write_s, written = await all_of(4, write)
    finally:
        await engine.close()
    return {"read": read_tokens / read_s, "written": written / (write_s - once_s)}


def child(model: str, name: str, *sizes: int) -> dict[str, float]:
    quantization, environment = _OPENINGS[name]
    call = [sys.executable, __file__, "--child", model, quantization or "none", *map(str, sizes)]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name}: the engine ended with status {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def claims_about(found: dict[str, list[dict[str, float]]]) -> list[Claim]:
    rows = []
    for peer, bound in (("float", 1.3), ("vllm_int8", 0.9)):
        for what in ("read", "written"):
            ours, theirs = ([one[what] for one in found[name]] for name in ("int8", peer))
            rows.append(times_better(f"{what}_against_{peer}", ours, theirs, bound, "tokens/s", less_is_better=False))
    return rows


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        model, quantization, *sizes = sys.argv[2:]
        found = asyncio.run(measure(model, None if quantization == "none" else quantization, *map(int, sizes)))
        print(json.dumps(found))
        return 0
    parser = arguments(__doc__, quick="8 sequences instead of 48, one repeat instead of two")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b", help="a preset, a folder, or an id of the hub")
    options = parser.parse_args()
    repeats, sizes = (1, (8, 24, 8)) if options.quick else (2, (48, 64, 16))
    turns = [{name: child(options.model, name, *sizes) for name in _OPENINGS} for _ in range(repeats)]
    found = {name: [turn[name] for turn in turns] for name in _OPENINGS}
    return finish(claims_about(found), options.json, "8-bit weights on CPU", {"model": options.model})


if __name__ == "__main__":
    sys.exit(main())

"""Student training: trained tokens per second, equal losses, full rows, memory of the loss, against TRL's SFTTrainer.

    python benchmarks/train.py [--quick] [--json]

Peer, in the same run and process tree, on the same rendered sequences, model, precision and threads: TRL's SFTTrainer,
once with padded batches and once with its own packing. The peer of the loss is torch's cross-entropy over all logits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_REPOSITORY)]

from claims import Claim, arguments, at_least, at_most, finish, times_better

from agentdistill.train.data.pack import pack_rows, row_fill

THREADS = max(1, len(os.sched_getaffinity(0)))
BATCH = 4
RATE = 1e-3
GIB = 2**30
WORDS = (
    "river",
    "city",
    "capital",
    "people",
    "north",
    "search",
    "result",
    "film",
    "author",
    "year",
    "lake",
    "the",
    "of",
)

_LOSS_CHILD = """
import json, resource, sys, torch
from agentdistill.train.objectives.cross_entropy import chunked_cross_entropy, plain_cross_entropy
kind, positions, vocabulary, hidden = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(2)
x = torch.randn(positions, hidden, requires_grad=True)
w = torch.randn(vocabulary, hidden)
targets, weights = torch.randint(0, vocabulary, (positions,)), torch.ones(positions)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(chunked_cross_entropy if kind == "ours" else plain_cross_entropy)(x, w, targets, weights).backward()
print(json.dumps((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))
"""


@dataclass(frozen=True)
class Size:
    """How much of everything one run of the benchmark does."""

    hidden: int
    layers: int
    vocabulary: int
    steps: int
    repeats: int
    positions: int  # of the loss claim


@dataclass(frozen=True)
class Speed:
    """What one training run gave."""

    trained_tokens_per_s: float  # the first step, which warms up, left out
    losses: tuple[float, ...]


def main() -> int:
    parser = arguments(__doc__, quick="a smaller model, six steps, one repeat")
    parser.add_argument("--run", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return _child(*options.run)
    size = Size(32, 2, 2_048, 6, 1, 1_024) if options.quick else Size(128, 4, 16_384, 21, 3, _positions())
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        claims = [*speed_claims(Path(folder), size), fill_claim(), memory_claim(size)]
    title = f"training, {size.layers} layers of {size.hidden}, vocabulary {size.vocabulary:,}"
    return finish(claims, options.json, title, {"size": asdict(size), **software()})


def speed_claims(folder: Path, size: Size) -> list[Claim]:
    """Ours, the padded and the packed peer in turn, each in a process of its own, `repeats` times."""
    job = prepare(folder, size)
    found: dict[str, list[Speed]] = {"ours": [], "padded": [], "packed": []}
    for _ in range(size.repeats):
        for kind, speeds in found.items():
            speeds.append(_run(kind, job))
    speeds_of = {kind: [item.trained_tokens_per_s for item in speeds] for kind, speeds in found.items()}
    claims = [
        times_better(
            f"training, float32, against SFTTrainer {kind}", speeds_of["ours"], speeds_of[kind], bound,
            "trained tokens/s", less_is_better=False,
        )
        for kind, bound in (("padded", 1.5), ("packed", 1.0))
    ]  # fmt: skip
    pairs = list(zip(found["ours"][0].losses[:20], found["padded"][0].losses[:20], strict=True))
    apart = [abs(one - other) for one, other in pairs]
    name = f"largest difference of the first {len(pairs)} losses, same batches"
    return [*claims, replace(at_most(name, [max(apart)], 1e-3, "nats"), spread=(min(apart), max(apart)))]


def prepare(folder: Path, size: Size) -> Path:
    """Make the model and the rendered sequences in the order of our steps; returns the job's file."""
    from agentdistill.config.train import TrainConfig
    from agentdistill.train.data.pack import plan_steps
    from agentdistill.train.data.render import Renderer
    from agentdistill.train.data.tokenizer import load_tokenizer, stop_token_ids
    from agentdistill.train.model.tiny import make_tiny_student

    model = make_tiny_student(folder / "model", hidden=size.hidden, layers=size.layers, embedding_rows=size.vocabulary)
    tokenizer = load_tokenizer(model)
    renderer = Renderer(tokenizer, stop_token_ids(model, tokenizer))
    sequences = [renderer.render(item)[0] for item in _episodes(size.steps * BATCH)]
    lengths = [item.num_tokens for item in sequences]
    config = TrainConfig(batch_size=BATCH, epochs=1, pack_length=max(4096, *lengths))
    plan = plan_steps([[index] for index in range(len(sequences))], lengths, config)
    job = {
        "model": model,
        "folder": str(folder),
        "capacity": plan.capacity,
        "steps": [[asdict(sequences[index]) for index in step] for step in plan.steps],
    }
    (folder / "job.json").write_text(json.dumps(job))
    return folder / "job.json"


def _episodes(count: int) -> list[Any]:
    """Episodes of one to four actions whose observations are of very unequal length, as passages are."""
    from agentdistill.types import Message, Role, TrainingExample

    draw = random.Random(0)
    rows = []
    for number in range(count):
        messages = [Message(Role.SYSTEM, "Act with code."), Message(Role.USER, f"How many live in town {number}?")]
        actions = draw.randint(1, 4)
        for index in range(actions):
            last = index == actions - 1
            code = f"final_answer({number})" if last else f"print(search('town {number} part {index}'))"
            thought = " ".join(draw.choices(WORDS, k=12))
            messages.append(Message(Role.ASSISTANT, f"Thought: {thought}\nCode:\n```py\n{code}\n```<end_code>"))
            if not last:
                text = " ".join(draw.choices(WORDS, k=min(200, round(draw.lognormvariate(3.7, 0.9)))))
                messages.append(Message(Role.USER, f"Observation:\n{text}"))
        rows.append(
            TrainingExample(f"e{number}", "bench", f"q{number}", 0, "bench", tuple(messages), (False,) * actions)
        )
    return rows


def _run(kind: str, job: Path) -> Speed:
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "TRL_EXPERIMENTAL_SILENCE": "1"}
    environment["PYTHONPATH"] = str(_REPOSITORY)
    done = subprocess.run(
        [sys.executable, __file__, "--run", kind, str(job)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the {kind} run failed:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Speed(found["trained_tokens_per_s"], tuple(found["losses"]))


def _child(kind: str, path: str) -> int:
    import torch

    torch.set_num_threads(THREADS)
    job = json.loads(Path(path).read_text())
    found = _train_ours(job) if kind == "ours" else _train_peer(job, packed=kind == "packed")
    print(json.dumps(found))
    return 0


def _train_ours(job: dict[str, Any]) -> dict[str, Any]:
    import torch

    from agentdistill.config.train import LoraConfig, TrainConfig
    from agentdistill.train.backends.choose import make_backend
    from agentdistill.train.data.render import Rendered
    from agentdistill.train.data.rows import make_row
    from agentdistill.train.model.load import load_student
    from agentdistill.train.world import World

    config = TrainConfig(
        model=job["model"], lora=LoraConfig(enabled=False), learning_rate=RATE, dtype="float32",
        gradient_checkpointing=False,
    )  # fmt: skip
    world = World(0, 1, torch.device("cpu"))
    backend = make_backend(config, load_student(config, job["model"], world.device), world)
    losses, seconds, trained = [], 0.0, 0
    for number, members in enumerate(job["steps"]):
        started = time.perf_counter()
        sequences = [Rendered(**item) for item in members]
        bins = pack_rows([item.num_tokens for item in sequences], job["capacity"])
        rows = [make_row([sequences[index] for index in row]) for row in bins]
        total = float(sum(row.weights.sum() for row in rows))
        loss = 0.0
        for index, row in enumerate(rows):
            value = backend.loss(row)
            backend.backward(value / total, last=index == len(rows) - 1)
            loss += float(value.detach())
        backend.step(RATE)
        losses.append(loss / total)
        if number:
            seconds += time.perf_counter() - started
            trained += sum(len(row.targets) for row in rows)
    return {"trained_tokens_per_s": trained / seconds, "losses": losses}


def _train_peer(job: dict[str, Any], packed: bool) -> dict[str, Any]:
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = [item for step in job["steps"] for item in step]
    data = Dataset.from_list(
        [
            {
                "input_ids": row["token_ids"],
                "labels": [t if w else -100 for t, w in zip(row["token_ids"], row["weights"], strict=True)],
            }
            for row in rows
        ]
    )
    losses: list[float] = []
    times: list[float] = []

    class Watch(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    trainer = InOrder(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype="float32", attn_implementation="sdpa"),
        args=SFTConfig(
            output_dir=f"{job['folder']}/peer", per_device_train_batch_size=1 if packed else BATCH,
            gradient_accumulation_steps=1, num_train_epochs=1, learning_rate=RATE, lr_scheduler_type="constant",
            warmup_steps=0, max_grad_norm=1.0, weight_decay=0.0, logging_steps=1, save_strategy="no",
            report_to="none", use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
            packing=packed, max_length=job["capacity"], dataloader_num_workers=0, disable_tqdm=True,
        ),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        callbacks=[Watch()],
    )  # fmt: skip
    trained = [sum(label != -100 for label in labels[1:]) for labels in trainer.train_dataset["labels"]]
    per_step = 1 if packed else BATCH
    trainer.train()
    return {
        "trained_tokens_per_s": sum(trained[per_step:]) / (times[-1] - times[0]),
        "losses": losses,
    }


def fill_claim() -> Claim:
    """Rows of the paper's length, filled from its distribution of lengths."""
    fills = []
    for seed in range(5):
        draw = random.Random(seed)
        lengths = [min(10_240, max(64, round(draw.lognormvariate(7.313, 0.6)))) for _ in range(2_000)]
        fills.append(row_fill(pack_rows(lengths, 10_240), lengths, 10_240))
    return at_least("row fill, 2,000 lengths lognormal around 1,500 up to 10,240", fills, 0.95, "share")


def memory_claim(size: Size) -> Claim:
    """Peak memory of the loss, forward and backward, above its inputs."""
    vocabulary, hidden = 151_936, 896
    found = {}
    for kind in ("ours", "plain"):
        done = subprocess.run(
            [sys.executable, "-c", _LOSS_CHILD, kind, str(size.positions), str(vocabulary), str(hidden)],
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[kind] = float(json.loads(done.stdout)) / GIB
    name = f"peak memory of the loss, vocabulary {vocabulary:,}, {size.positions:,} positions"
    return times_better(name, [found["ours"]], [found["plain"]], 4, "GiB", less_is_better=True)


def _positions() -> int:
    """8,192 where the plain loss fits into free memory (about 16 GiB), else as many as fit: that favours the peer."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    return 8_192 if free > 18 * GIB else 2_048


def software() -> dict[str, Any]:
    import torch
    import trl

    return {"threads": THREADS, "torch": torch.__version__, "trl": trl.__version__}


if __name__ == "__main__":
    sys.exit(main())

"""A training process for tests: `python train_worker.py SETTINGS EXAMPLES FOLDER`, alone or under torchrun.

SETTINGS is JSON: what `tiny_config` takes, and when the process ends itself with SIGKILL (`kill`):
    {"after_step": 5}                        the first rank, when it has logged step 5
    {"rank": 1, "forward": 5}                a rank within its fifth computation of a loss
    {"before_rename": "checkpoint-000004"}   when this checkpoint is written but not yet visible
"""

import itertools
import json
import os
import signal
import sys

import torch
from train_parts import tiny_config

from agentdistill.config.train import CheckpointConfig, LoraConfig
from agentdistill.train.job import train


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_in_forward(rank: int, number: int) -> None:
    seen = itertools.count(1)

    def hook(module: torch.nn.Module, inputs: object, output: object) -> None:
        if type(module).__name__ == "LossHead" and next(seen) == number:
            end()

    if int(os.environ.get("RANK", "0")) == rank:
        torch.nn.modules.module.register_module_forward_hook(hook)


def end_before_rename(name: str) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[0]).endswith(f"{name}.partial"):
            end()

    sys.addaudithook(hook)


def main(settings: dict[str, object], examples: str, folder: str) -> None:
    kill = settings.pop("kill", {})
    if "forward" in kill:
        end_in_forward(kill["rank"], kill["forward"])
    if "before_rename" in kill:
        end_before_rename(kill["before_rename"])
    settings["lora"] = LoraConfig(**settings.get("lora", {"enabled": False}))
    settings["checkpoint"] = CheckpointConfig(every_steps=2, every_minutes=None)
    train(
        tiny_config(**settings),
        examples,
        folder,
        on_progress=lambda metrics: end() if metrics.step == kill.get("after_step") else None,
    )
    assert not torch.distributed.is_initialized(), "training left its process group behind"
    print("deepspeed in the process that started it:", "deepspeed" in sys.modules)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])

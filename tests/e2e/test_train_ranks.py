"""Training on several processes, started as torchrun does: the same losses, ZeRO stages, resumes, kills."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from train_parts import examples, tiny_config, tiny_student, write_examples
from train_ranks import Ranks
from train_runs import CHECKPOINTS, curve, environment, run_python, torchrun, worker_arguments, worker_settings

from agentdistill.config.train import LoraConfig
from agentdistill.errors import TrainingError
from agentdistill.train.job import train
from agentdistill.train.metrics import read_metrics
from agentdistill.train.model.adapter import check_adapter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    with Ranks(environment()) as ranks:
        yield ranks


@pytest.mark.parametrize(
    "settings",
    [{}, {"backend": "deepspeed"}, {"zero_stage": 1}, {"zero_stage": 2, "offload": True}, {"zero_stage": 3}],
    ids=str,
)
def test_two_ranks_have_the_loss_curve_of_one_at_every_zero_stage(ranks, training_set, loss_curve, tmp_path, settings):
    done = ranks.train(2, training_set, tmp_path / "run", **worker_settings(**settings))

    assert done.returncode == 0, done.output[-3000:]
    assert curve(tmp_path / "run") == pytest.approx(loss_curve, abs=1e-5)
    assert all(0 < metrics.grad_norm < math.inf for metrics in read_metrics(tmp_path / "run" / "metrics.jsonl"))


def test_the_command_line_trains_under_torchrun_as_it_does_alone(training_set, loss_curve, tmp_path):
    """Two ranks, one lock, one progress, one record."""
    folder = tmp_path / "run"
    (folder / "training_set").mkdir(parents=True)
    (folder / "training_set/examples.parquet").write_bytes(Path(training_set).read_bytes())
    config = tmp_path / "run.yaml"
    settings = dataclasses.asdict(tiny_config(epochs=2.0))
    config.write_text(yaml.safe_dump({"name": "ranks", "folder": str(folder), "train": settings}))

    done = torchrun(2, "-m", "agentdistill", "train", "--config", str(config))

    assert done.returncode == 0, done.stderr[-3000:]
    assert curve(folder) == pytest.approx(loss_curve, abs=1e-5)
    assert done.stdout.count("Student: ") == 1


def test_a_rank_killed_in_mid_step_ends_the_run_and_both_go_on_from_the_checkpoint(
    ranks, training_set, loss_curve, tmp_path
):
    run = tmp_path / "run"
    killed = torchrun(2, *worker_arguments(training_set, run, zero_stage=3, kill={"rank": 1, "forward": 5}))
    assert killed.returncode != 0
    assert "-9" in killed.stderr
    before = len(curve(run))

    done = ranks.train(2, training_set, run, **worker_settings(zero_stage=3))

    assert done.returncode == 0, done.output[-3000:]
    assert 2 <= before < 6
    assert curve(run) == pytest.approx(loss_curve, abs=1e-5)


def test_one_rank_goes_on_where_two_killed_ones_stopped(ranks, training_set, loss_curve, tmp_path):
    settings = worker_settings(zero_stage=2, kill={"after_step": 5})
    killed = ranks.train(2, training_set, tmp_path / "run", **settings)
    assert killed.returncode != 0
    assert not (tmp_path / "run/student").exists()

    summary = train(tiny_config(epochs=2, checkpoint=CHECKPOINTS), training_set, str(tmp_path / "run"))

    assert summary.resumed_from_step in (2, 4)
    assert curve(tmp_path / "run") == pytest.approx(loss_curve, abs=1e-5)


def test_zero_3_saves_a_whole_adapter(ranks, training_set, tmp_path):
    lora = {"enabled": True, "r": 4, "alpha": 8}
    done = ranks.train(2, training_set, tmp_path / "run", **worker_settings(zero_stage=3, lora=lora))

    assert done.returncode == 0, done.output[-3000:]
    assert check_adapter(tmp_path / "run/adapter")["r"] == 4


def test_a_rank_without_examples_is_counted_as_padding(ranks, tmp_path):
    """13 examples in batches of 4: the last step has one, and the second rank computes a token for company."""
    path = write_examples(tmp_path, examples(13))

    done = ranks.train(2, path, tmp_path / "run", **worker_settings(epochs=1))

    assert done.returncode == 0, done.output[-3000:]
    *full, last = read_metrics(tmp_path / "run/metrics.jsonl")
    assert [metrics.padding_share for metrics in full] == [0.0, 0.0, 0.0]
    assert last.padding_share == pytest.approx(1 / (last.tokens + 1))
    assert last.idle_share == pytest.approx(0.5)


OUT_OF_MEMORY = """
import resource, sys
import torch
from train_parts import tiny_config
from agentdistill.errors import TrainingError
from agentdistill.train import loop
from agentdistill.train.job import train

def tighten(metrics):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, used + 2**20))

try:
    train(tiny_config(model=sys.argv[1], max_length=10_000, lora=tiny_config().lora), sys.argv[2], sys.argv[3],
          on_progress=tighten)
except TrainingError as error:
    print(error)
"""


def test_running_out_of_memory_names_the_step_and_what_to_change(training_set, tmp_path, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")

    done = run_python("-c", OUT_OF_MEMORY, tiny_student(hidden=512, layers=4), training_set, str(tmp_path / "run"))

    assert "step 2: out of memory in a row of" in done.stdout, done.stdout + done.stderr[-2000:]
    assert "train.gradient_checkpointing=true" in done.stdout


def test_a_training_error_of_a_rank_reaches_the_caller(ranks, training_set, tmp_path):
    settings = {"learning_rate": 1e30, "warmup_ratio": 0.0, "schedule": "constant"}

    done = ranks.train(2, training_set, tmp_path / "run", **worker_settings(**settings))

    assert done.returncode != 0
    assert TrainingError.__name__ in done.output
    assert "at learning rate 1e+30" in done.output


def test_lora_with_dropout_resumes_with_the_same_loss_curve_on_two_ranks(ranks, training_set, tmp_path):
    settings = {"zero_stage": 1, "lora": {"enabled": True, "r": 4, "alpha": 8, "dropout": 0.1}}
    assert ranks.train(2, training_set, tmp_path / "whole", **worker_settings(**settings)).returncode == 0
    killed = worker_settings(kill={"after_step": 5}, **settings)
    assert ranks.train(2, training_set, tmp_path / "run", **killed).returncode != 0

    assert ranks.train(2, training_set, tmp_path / "run", **worker_settings(**settings)).returncode == 0

    assert curve(tmp_path / "run") == pytest.approx(curve(tmp_path / "whole"), abs=1e-5)


def test_the_config_of_these_tests_uses_the_papers_lora_by_default():
    lora = LoraConfig()

    assert (lora.r, lora.alpha, lora.dropout, lora.target_modules) == (64, 128, 0.05, ["all-linear"])

"""Whole runs in this process: what comes out, going on after a stop, and what is refused."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from train_parts import example, examples, tiny_config, tiny_student, write_examples
from train_runs import curve as losses

from agentdistill.config.settings import check_bounds
from agentdistill.config.train import CheckpointConfig, LoraConfig, TrainConfig
from agentdistill.errors import (
    AgentDistillError,
    CheckpointError,
    ConfigError,
    DataError,
    RunFolderError,
    TrainingError,
)
from agentdistill.train.checkpoint import find_checkpoints, step_of
from agentdistill.train.job import inputs_digest, train
from agentdistill.train.metrics import read_metrics
from agentdistill.train.spec import TrainSummary

pytestmark = pytest.mark.slow

LORA = LoraConfig(enabled=True, r=4, alpha=8, dropout=0.1)


class Stop(Exception):
    """Ends a run from outside, as a signal would."""


def stop_at(step: int):
    def on_progress(metrics):
        if metrics.step == step:
            raise Stop

    return on_progress


def run(folder: Path, config: TrainConfig, count: int = 12, **kwargs) -> TrainSummary:
    return train(config, write_examples(folder, examples(count)), str(folder / "run"), **kwargs)


def test_training_lowers_the_loss_and_leaves_a_model_that_transformers_loads(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    summary = run(tmp_path, tiny_config(epochs=4))

    assert summary.steps == 12
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] - 0.5
    model = AutoModelForCausalLM.from_pretrained(summary.student)
    assert AutoTokenizer.from_pretrained(summary.student).chat_template
    assert model.config._attn_implementation == "sdpa"


def test_a_saved_student_has_the_loss_that_it_had_in_memory(tmp_path):
    summary = run(tmp_path, tiny_config(held_out_share=0.3))

    again = train(
        tiny_config(model=summary.student, held_out_share=0.3, learning_rate=1e-12, max_steps=1),
        str(tmp_path / "training_set.parquet"),
        str(tmp_path / "again"),
    )

    assert again.held_out_loss == pytest.approx(summary.held_out_loss, abs=1e-5)


def test_a_process_group_of_the_callers_is_still_there_afterwards(tmp_path):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        run(tmp_path, tiny_config(epochs=1))
        assert distributed.is_initialized()
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("lora", [LoraConfig(enabled=False), LORA], ids=["full", "lora"])
def test_a_resumed_run_has_the_loss_curve_of_an_uninterrupted_one(tmp_path, lora):
    config = tiny_config(lora=lora, epochs=2, checkpoint=CheckpointConfig(every_steps=2, every_minutes=None))
    run(tmp_path / "whole", config)
    with pytest.raises(Stop):
        run(tmp_path / "stopped", config, on_progress=stop_at(5))

    summary = run(tmp_path / "stopped", config)

    assert summary.resumed_from_step == 4
    assert losses(tmp_path / "stopped/run") == pytest.approx(losses(tmp_path / "whole/run"), abs=1e-5)


def test_the_same_command_does_nothing_where_the_student_is_there(tmp_path):
    first = run(tmp_path, tiny_config())
    written = Path(first.student, "model.safetensors").stat().st_mtime_ns

    second = run(tmp_path, tiny_config())

    assert second == replace(first, reused=True)
    assert Path(first.student, "model.safetensors").stat().st_mtime_ns == written


def test_other_settings_do_not_go_on_from_these_checkpoints(tmp_path):
    config = tiny_config(checkpoint=CheckpointConfig(every_steps=1, every_minutes=None))
    run(tmp_path, config)

    with pytest.raises(RunFolderError, match="come from another config, model or training set"):
        run(tmp_path, replace(config, learning_rate=1e-3))


def test_settings_that_change_only_how_it_runs_go_on(tmp_path):
    first = run(tmp_path, tiny_config())

    assert run(tmp_path, tiny_config(log_every_steps=2, zero_stage=1)) == replace(first, reused=True)


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        ({}, "89d4ff0337112d24e594c0c5f7f19362c9210b3398fd76be90e4ad1c10fee4ed"),
        (
            {"workers": 2, "learning_rate": 1e-3},
            "a5ea364879203af790c49ad0069cfb08650eddcdf91125279c70c4f71c3927e9",
        ),
    ],
)
def test_checkpoints_of_before_the_objective_was_a_setting_go_on(tmp_path, settings, digest):
    (tmp_path / "examples.parquet").write_bytes(b"examples")
    path = str(tmp_path / "examples.parquet")
    assert inputs_digest(TrainConfig(**settings), "a-model", path) == digest
    assert inputs_digest(TrainConfig(**settings, objective="mine:Objective"), "a-model", path) != digest


def test_checkpoints_are_kept_by_count_and_by_best_held_out_loss(tmp_path):
    settings = CheckpointConfig(every_steps=1, every_minutes=None, keep=2)
    config = tiny_config(epochs=4, held_out_share=0.3, eval_every_steps=1, learning_rate=0.3, checkpoint=settings)

    run(tmp_path, config)

    steps = read_metrics(tmp_path / "run/metrics.jsonl")
    best = min(steps, key=lambda metrics: metrics.held_out_loss).step
    found = [step_of(path) for path in find_checkpoints(tmp_path / "run/checkpoints")]
    assert found == sorted({best, len(steps) - 1, len(steps)}) or found == sorted(
        {best, len(steps) - 2, len(steps) - 1}
    )


def test_early_stop_ends_the_run_and_keeps_the_best_weights(tmp_path):
    config = tiny_config(
        epochs=30, held_out_share=0.3, eval_every_steps=1, learning_rate=0.5, early_stop_patience=2, max_steps=40
    )

    summary = run(tmp_path, config)

    assert summary.steps < 40
    evaluated = [metrics.held_out_loss for metrics in read_metrics(tmp_path / "run/metrics.jsonl")]
    assert summary.best_held_out_loss == min(evaluated)
    assert evaluated[-3] == min(evaluated)


def test_early_stop_needs_the_best_checkpoint():
    config = tiny_config(early_stop_patience=2, held_out_share=0.3)
    config.checkpoint.keep_best = False

    problems = {key: expected for key, _, expected in check_bounds(config)}
    assert problems == {"checkpoint.keep_best": "true, for early_stop_patience to go back to it"}


def test_questions_are_held_out_whole(tmp_path):
    rows = [replace(row, question_id=f"question-{index % 4}") for index, row in enumerate(examples(12))]
    path = write_examples(tmp_path, rows)

    summary = train(tiny_config(held_out_share=0.25), path, str(tmp_path / "run"))

    assert summary.counts.held_out == 3
    assert summary.held_out_loss is not None


def test_an_adapter_is_complete_and_says_what_it_was_trained_on(tmp_path):
    summary = run(tmp_path, tiny_config(lora=LORA))

    card = Path(summary.student, "README.md").read_text()
    assert summary.is_adapter
    assert "12 examples" in card
    assert "base_model:" in card
    assert json.loads(Path(summary.student, "adapter_config.json").read_text())["r"] == 4


def test_metrics_name_tokens_memory_rate_and_norm(tmp_path):
    run(tmp_path, tiny_config(tensorboard=True))

    (first, *_) = read_metrics(tmp_path / "run/metrics.jsonl")
    assert first.trained_tokens < first.tokens
    assert first.memory_mb > 0
    assert first.learning_rate == 1e-2
    assert first.grad_norm > 0
    assert list((tmp_path / "run/tensorboard").glob("events.*"))


def test_accumulation_over_many_rows_gives_the_loss_of_one_row(tmp_path):
    run(tmp_path / "one", tiny_config(pack_length=8192, batch_size=8))
    run(tmp_path / "many", tiny_config(packing=False, batch_size=8))

    assert losses(tmp_path / "many/run") == pytest.approx(losses(tmp_path / "one/run"), abs=1e-5)


def test_the_seed_decides_the_whole_run(tmp_path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        run(tmp_path / name, tiny_config(seed=seed, lora=LORA))

    assert losses(tmp_path / "same/run") == losses(tmp_path / "one/run")
    assert losses(tmp_path / "other/run") != losses(tmp_path / "one/run")


def test_gradients_are_clipped_to_the_norm_asked_for(tmp_path):
    """Clipped to less than Adam's epsilon, gradients move nothing; their norm is reported as it was."""
    path = write_examples(tmp_path, examples(4))
    for name, norm in (("clipped", 1e-15), ("free", 1.0)):
        train(tiny_config(epochs=3, max_grad_norm=norm), path, str(tmp_path / name))

    clipped, free = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("clipped", "free"))
    assert clipped[0].grad_norm == pytest.approx(free[0].grad_norm)
    assert clipped[-1].loss == pytest.approx(clipped[0].loss, abs=1e-4)
    assert free[-1].loss < free[0].loss - 0.1


def test_a_loss_that_is_no_number_stops_with_step_examples_and_rate(tmp_path):
    config = tiny_config(learning_rate=1e30, warmup_ratio=0.0, schedule="constant", epochs=4)

    with pytest.raises(
        TrainingError, match=r"step \d+: the (loss|gradient norm) is (nan|inf) at learning rate 1e\+30"
    ) as caught:
        run(tmp_path, config)

    assert "example-" in str(caught.value)


def test_a_run_that_stopped_for_nan_leaves_no_student(tmp_path):
    with pytest.raises(TrainingError):
        run(tmp_path, tiny_config(learning_rate=1e30, warmup_ratio=0.0, schedule="constant", epochs=4))

    assert not (tmp_path / "run/student").exists()


def test_an_empty_training_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="the training set is empty"):
        run(tmp_path, tiny_config(), count=0)


def test_a_training_set_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file, expected the training set"):
        train(tiny_config(), str(tmp_path / "none.parquet"), str(tmp_path / "run"))


def test_an_example_that_stands_twice_is_refused(tmp_path):
    path = write_examples(tmp_path, [example(0), example(0)])

    with pytest.raises(DataError, match="example-0: its id stands twice"):
        train(tiny_config(), path, str(tmp_path / "run"))


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"train.model = no-such/model: no such model; expected a preset"):
        run(tmp_path, tiny_config(model="no-such/model"))


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ConfigError, match="is not a model that transformers can read"):
        run(tmp_path, tiny_config(model=str(tmp_path / "empty")))


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no chat template"):
        run(tmp_path, tiny_config(model=tiny_student(template=None)))


def test_a_vocabulary_larger_than_the_embedding_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"its tokenizer has \d+ tokens, its embedding only 100 rows"):
        run(tmp_path, tiny_config(model=tiny_student(embedding_rows=100)))


def test_a_pad_token_equal_to_the_end_token_still_trains_the_end(tmp_path):
    from transformers import AutoTokenizer

    folder = shutil.copytree(tiny_student(), tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder)

    same, usual = run(tmp_path / "same", tiny_config(model=str(folder))), run(tmp_path / "usual", tiny_config())

    assert AutoTokenizer.from_pretrained(folder).pad_token_id == tokenizer.eos_token_id
    assert same.trained_tokens == usual.trained_tokens
    assert losses(tmp_path / "same/run") == losses(tmp_path / "usual/run")


def test_examples_over_the_limit_are_dropped_and_counted(tmp_path):
    path = write_examples(tmp_path, [*examples(4), example(9, observation="x" * 2000)])

    summary = train(tiny_config(), path, str(tmp_path / "run"))

    assert (summary.counts.dropped_too_long, summary.counts.sequences) == (1, 4)


def test_examples_over_the_limit_can_be_cut_after_a_whole_turn(tmp_path):
    path = write_examples(tmp_path, [*examples(4), example(9, observation="x" * 2000)])

    summary = train(tiny_config(too_long="cut"), path, str(tmp_path / "run"))

    assert (summary.counts.cut_too_long, summary.counts.sequences) == (1, 5)


def test_a_limit_that_no_example_fits_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none of the 12 training examples fits train.max_length = 64"):
        run(tmp_path, tiny_config(max_length=64))


def test_running_out_of_memory_says_what_to_change():
    from agentdistill.train.faults import explain_memory, is_out_of_memory

    error = RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    assert is_out_of_memory(error)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    message = explain_memory(3, 4096, error)
    assert message.startswith("step 3: out of memory in a row of 4096 tokens")
    assert "train.gradient_checkpointing=true" in message


def test_every_error_survives_the_way_between_processes():
    import pickle

    for error in (TrainingError("a"), CheckpointError("b"), ConfigError("c")):
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, AgentDistillError)
        assert str(again) == str(error)


def test_the_loss_is_finite_with_the_smallest_batch(tmp_path):
    summary = run(tmp_path, tiny_config(batch_size=1, max_steps=2))

    assert math.isfinite(summary.loss)

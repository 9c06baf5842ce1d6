"""The preview, the memory estimate, and the configs of students."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from train_parts import example, tiny_config, write_examples

from agentdistill.config.load import load
from agentdistill.config.train import LoraConfig, TrainConfig
from agentdistill.errors import ConfigError
from agentdistill.train.data.preview import preview
from agentdistill.train.estimate import KNOWN, estimate, model_shape

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs/student").glob("*.yaml"))
#: Parameters in millions, as the models' own cards state them.
PUBLISHED = {
    "qwen/qwen2.5-0.5b-instruct": 494,
    "qwen/qwen2.5-1.5b-instruct": 1_543,
    "qwen/qwen2.5-3b-instruct": 3_086,
    "qwen/qwen2.5-7b-instruct": 7_615,
    "meta-llama/llama-3.2-1b-instruct": 1_236,
    "microsoft/phi-4-mini-instruct": 3_836,
}


def coloured(text, style: str) -> str:
    return "".join(text.plain[span.start : span.end] for span in text.spans if span.style == style)


def test_the_preview_colours_the_trained_tokens_and_dims_the_rest(tmp_path):
    path = write_examples(tmp_path, [example(0), example(1)])

    (first,) = preview(tiny_config(), path, 1)

    assert "final_answer(0)\n```<end_code><|im_end|>" in coloured(first, "bold green")
    assert "Observation:\n12 people" in coloured(first, "dim")
    assert first.plain.startswith("example-0: ")


def test_the_preview_shows_other_weights_in_another_colour(tmp_path):
    path = write_examples(tmp_path, [example(0)])

    (first,) = preview(tiny_config(final_weight=2.0), path, 1)

    assert coloured(first, "bold yellow") == "\nCode:\n```py\nfinal_answer(0)\n```<end_code>"


@pytest.mark.slow
def test_the_command_line_shows_examples_and_the_memory_that_training_takes(tmp_path):
    folder = tmp_path / "run"
    (folder / "training_set").mkdir(parents=True)
    written = write_examples(tmp_path, [example(0), example(1)])
    (folder / "training_set/examples.parquet").write_bytes(Path(written).read_bytes())
    command = ["train", "--preview", "1", "--estimate", f"folder={folder}", f"train.model={tiny_config().model}"]

    shown = subprocess.run([sys.executable, "-m", "agentdistill", *command], capture_output=True, text=True, check=True)

    assert "example-0: " in shown.stdout
    assert "example-1: " not in shown.stdout
    assert "GiB (derived)" in shown.stdout
    assert [path.name for path in folder.iterdir()] == ["training_set"]


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_the_shapes_have_the_published_number_of_parameters(name, millions):
    assert model_shape(TrainConfig(model=name)).parameters / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_more_workers_and_higher_stages_never_take_more_memory(name):
    full = LoraConfig(enabled=False)
    totals = [item.total_gb for item in estimate(TrainConfig(model=name, workers=8, lora=full))]

    assert totals == sorted(totals, reverse=True)


def test_an_estimate_reads_the_shape_of_a_local_model():
    config = tiny_config()

    shape = model_shape(config)

    assert (shape.hidden, shape.layers) == (32, 2)
    assert all(item.total_gb < 1 for item in estimate(config))


def test_an_estimate_of_an_unknown_model_is_refused():
    with pytest.raises(ConfigError, match="no such model"):
        estimate(TrainConfig(model="no-such/model"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_student_config_loads_and_acts_as_the_model_that_it_trains(path):
    config = load(path)

    assert config.evaluate.engine.model == config.train.model


@pytest.mark.parametrize("path", [p for p in CONFIGS if "derived" in p.read_text()], ids=lambda path: path.stem)
def test_the_memory_that_a_student_config_states_is_the_estimate(path):
    stated = [float(figure) for figure in re.findall(r"([\d.]+) GiB", path.read_text())]
    train = load(path).train
    train.model = path.read_text().split(",", 1)[0].removeprefix("# ")

    lora = estimate(train)[0].total_gb
    train.lora.enabled = False

    assert stated == [pytest.approx(lora, abs=0.06), pytest.approx(estimate(train)[0].total_gb, abs=0.06)]

"""What the training tests share: a tiny student, examples of an agent, a short config."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from agentdistill import storage
from agentdistill.config.train import CheckpointConfig, LoraConfig, TrainConfig
from agentdistill.schema import examples_to_table
from agentdistill.train.data.render import Renderer
from agentdistill.train.data.tokenizer import load_tokenizer, stop_token_ids
from agentdistill.train.model.tiny import CHATML, make_tiny_student
from agentdistill.types import Message, Part, PartKind, Role, TrainingExample

LLAMA = (
    "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim "
    "+ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' "
    "+ m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
#: Shows only the last assistant turn in full, as templates of reasoning models do with earlier reasoning.
DROPPING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and not loop.last %}{{ '(earlier)' }}{% else %}{{ m['content'] }}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEMPLATES = {
    "chatml": (CHATML, "<|im_end|>"),
    "llama": (LLAMA, "<|eot_id|>"),
    "gemma": (GEMMA, "<end_of_turn>"),
    "phi": (PHI, "<|end|>"),
    "dropping": (DROPPING, "<|im_end|>"),
}


@functools.cache
def tiny_student(**settings: Any) -> str:
    """The folder of a tiny student, made once per set of settings."""
    return make_tiny_student(Path(tempfile.mkdtemp(prefix="tiny-student-")), **settings)


def renderer_for(template: str, config: TrainConfig | None = None) -> Renderer:
    text, end_token = TEMPLATES[template]
    folder = tiny_student(template=text, end_token=end_token)
    tokenizer = load_tokenizer(folder)
    return Renderer(tokenizer, stop_token_ids(folder, tokenizer), config)


def action(thought: str, code: str) -> str:
    return f"Thought: {thought}\nCode:\n```py\n{code}\n```<end_code>"


def action_parts(thought: str, code: str) -> tuple[Part, ...]:
    """Where the parts of `action(thought, code)` are; code that calls `final_answer` is the answer as a whole."""
    text = action(thought, code)
    start, place = text.index(thought), text.index(code)
    parts = (Part(PartKind.THOUGHT, start, start + len(thought)), Part(PartKind.CODE, place, place + len(code)))
    return (*parts, Part(PartKind.ANSWER, place, place + len(code))) if code.startswith("final_answer(") else parts


def example(number: int = 0, searches: int = 1, observation: str = "12 people", **changes: Any) -> TrainingExample:
    """An episode: `searches` failed or useful actions with their observations, then the final answer."""
    messages = [Message(Role.SYSTEM, "Act with code."), Message(Role.USER, f"How many people live in town {number}?")]
    actions = [(f"I look {index}.", f"print(search('town {number}'))") for index in range(searches)]
    for thought, code in actions:
        messages.append(Message(Role.ASSISTANT, action(thought, code)))
        messages.append(Message(Role.USER, f"Observation:\n{observation}"))
    actions.append(("Now I know.", f"final_answer({number})"))
    messages.append(Message(Role.ASSISTANT, action(*actions[-1])))
    fields: dict[str, Any] = {
        "example_id": f"example-{number}",
        "run_id": "run",
        "question_id": f"question-{number}",
        "sample_index": 0,
        "task": "world",
        "messages": tuple(messages),
        "failed_steps": (False,) * (searches + 1),
        "parts": () if "messages" in changes else tuple(action_parts(*item) for item in actions),
    }
    return TrainingExample(**{**fields, **changes})


def examples(count: int) -> list[TrainingExample]:
    """Episodes of unequal length."""
    return [example(i, searches=i % 3, observation="word " * (3 * (i % 5))) for i in range(count)]


def write_examples(folder: Path, rows: list[TrainingExample]) -> str:
    path = str(folder / "training_set.parquet")
    storage.write_table(path, examples_to_table(rows))
    return path


def tiny_config(**changes: Any) -> TrainConfig:
    """Three steps of four examples in float32 on one thread, in this process."""
    config = TrainConfig(
        model=changes.pop("model", None) or tiny_student(),
        lora=LoraConfig(enabled=False),
        epochs=1,
        batch_size=4,
        learning_rate=1e-2,
        max_length=1024,
        dtype="float32",
        gradient_checkpointing=False,
        launcher="local",
        threads_per_worker=1,
        tensorboard=False,
        checkpoint=CheckpointConfig(every_steps=None, every_minutes=None),
    )
    for name, value in changes.items():
        setattr(config, name, value)
    return config

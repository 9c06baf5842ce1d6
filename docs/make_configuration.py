"""Writes the tables of docs/configuration.md from the dataclasses in agentdistill/config.

    python docs/make_configuration.py            # rewrite the page
    python docs/make_configuration.py --check    # exit status 1 where it is out of date

Type and default come from the dataclass, bounds and whether it binds from `setting(...)`, the meaning from the comment
at the end of the field's line, and checks across keys from the section's `problems()`. Where a field has no comment,
`MEANINGS` speaks.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import re
import sys
import textwrap
import tokenize
import types
import typing
from pathlib import Path
from typing import Any

from agentdistill import config, plugins

PAGE = Path(__file__).with_name("configuration.md")
BEGIN, END = "<!-- tables: python docs/make_configuration.py -->", "<!-- end of tables -->"

#: Where each class stands in the tree, in the order of the page.
SECTIONS: list[tuple[type, tuple[str, ...]]] = [
    (config.RunConfig, ("",)),
    (config.QuestionsConfig, ("questions",)),
    (config.TaskConfig, ("questions.train[i]", "questions.test[i]")),
    (config.ActorConfig, ("teacher",)),
    (config.EngineConfig, ("teacher.engine", "evaluate.engine", "evaluate.cells[i].engine", "grading.judge.engine")),
    (config.AgentConfig, ("teacher.agent", "evaluate.agent", "evaluate.cells[i].agent")),
    (config.SagConfig, ("teacher.agent.sag", "evaluate.agent.sag", "evaluate.cells[i].agent.sag")),
    (config.SandboxConfig, ("sandbox",)),
    (config.LimitsConfig, ("sandbox.limits",)),
    (config.RetrieverConfig, ("retriever",)),
    (config.EncoderConfig, ("retriever.encoder",)),
    (config.IndexConfig, ("retriever.index",)),
    (config.RolloutConfig, ("rollout",)),
    (config.GradingConfig, ("grading",)),
    (config.JudgeConfig, ("grading.judge",)),
    (config.SelectConfig, ("select",)),
    (config.TrainConfig, ("train",)),
    (config.LoraConfig, ("train.lora",)),
    (config.CheckpointConfig, ("train.checkpoint",)),
    (config.EvaluateConfig, ("evaluate",)),
    (config.EvaluationCell, ("evaluate.cells[i]",)),
    (config.VoteConfig, ("evaluate.cells[i].vote",)),
    (config.ReportConfig, ("report",)),
    (config.ClusterConfig, ("cluster",)),
]

#: Fields whose line has no comment. A comment there wins, and a test asks for one or the other.
MEANINGS: dict[str, str] = {
    "Run.name": "the run's name: its folder, its Serve applications, the `run_id` of its trajectories",
    "Run.seed": "of the teacher's sampling and votes; sample i has seed + i",
    "Questions.train": "what the teacher acts on",
    "Questions.test": "what students are evaluated on",
    "Task.question_column": "of a question file or data set",
    "Task.seed": "of the sample that `limit` takes",
    "Actor.engine": "what writes",
    "Actor.mode": "act; answer in one turn, by a chain of thought; the same with passages in front",
    "Actor.agent": "how it acts",
    "Engine.revision": "of a hub id",
    "Engine.dtype": "auto: float32 on CPU, else bfloat16",
    "Engine.tensor_parallel": "GPUs that share one model",
    "Engine.gpu_memory_utilization": "share of a GPU's memory that vLLM takes",
    "Engine.max_num_seqs": "sequences that vLLM computes together",
    "Agent.max_steps": "steps an episode",
    "Agent.temperature": "of sampling without SAG; 0: greedy",
    "Agent.top_p": "of sampling without SAG",
    "Agent.observation_chars": "a longer observation keeps its head and tail",
    "Agent.time_budget_s": "wall clock of an episode",
    "Agent.first_thought_prefix": "begin with the first paragraph of the model's own chain of thought",
    "Agent.sag": "voting over several actions a step",
    "Sag.temperature": "of the n candidates",
    "Sag.top_p": "of the n candidates",
    "Sandbox.limits": "of one piece of code",
    "Sandbox.lockdown": "required: no session where the kernel lacks a layer; relaxed: without that layer",
    "Sandbox.preload": "modules that are imported once, before sessions are forked",
    "Sandbox.blocked_imports": "modules that code may not import",
    "Sandbox.replicas": "of the service, at the start",
    "Sandbox.max_replicas": "of the service, under load",
    "Retriever.id_column": "of a corpus file",
    "Retriever.title_column": "of a corpus file",
    "Retriever.text_column": "of a corpus file",
    "Retriever.folder": "where the index lies",
    "Retriever.encoder": "what turns text into vectors",
    "Retriever.index": "how vectors or words are searched",
    "Retriever.gpus_per_encode_actor": "what Ray reserves",
    "Retriever.k": "passages a search",
    "Retriever.replicas": "of the service, at the start",
    "Retriever.max_replicas": "of the service, under load",
    "Retriever.cpus_per_replica": "what Ray reserves",
    "Retriever.gpus_per_replica": "what Ray reserves",
    "Retriever.batch_wait_s": "how long a batch gathers requests",
    "Retriever.deadline_s": "of one request, repetitions included",
    "Encoder.passage_prefix": "null: what the preset says, else none",
    "Encoder.pooling": "auto: what the preset or the model's own config says",
    "Encoder.normalize": "vectors of length one",
    "Encoder.batch_size": "texts encoded together",
    "Encoder.dtype": "of the model's weights",
    "Encoder.device": "auto: a GPU where there is one; or a torch device",
    "Index.kind": "exact, approximate, by keywords, or both",
    "Index.nprobe": "lists that an IVF search reads",
    "Index.hnsw_m": "links a node",
    "Index.ef_construction": "breadth of HNSW's build",
    "Index.ef_search": "breadth of HNSW's search",
    "Index.pq_bytes": "bytes a vector, for ivf_pq",
    "Index.shards": "files that the vectors are cut into",
    "Index.memory_map": "leave the file on disk and map it",
    "Rollout.max_actors": "null: actors",
    "Rollout.cpus_per_actor": "what Ray reserves",
    "Judge.engine": "who judges",
    "Vote.temperature": "of the episodes",
    "Vote.top_p": "of the episodes",
    "Select.correct": "keep only correct answers",
    "Select.no_parse_error": "drop a trajectory with an invalid action",
    "Select.within_steps": "drop a trajectory that ended without an answer",
    "Select.max_per_question": "keep so many a question",
    "Select.max_chars": "drop a longer conversation",
    "Select.drop_repeated": "drop a trajectory that ran the same code and saw the same again",
    "Select.deduplicate": "drop what was written before on the same question",
    "Train.revision": "of a hub id",
    "Train.lora": "adapters in place of full weights",
    "Train.epochs": "passes over the training set",
    "Train.learning_rate": "at its peak",
    "Train.weight_decay": "of AdamW",
    "Train.warmup_ratio": "share of the steps",
    "Train.schedule": "of the learning rate after the warm-up",
    "Train.max_grad_norm": "gradients are clipped to it",
    "Train.too_long": "what happens to an example over max_length",
    "Train.packing": "several examples in one row, which do not see each other",
    "Train.zero_stage": "what DeepSpeed partitions: 1 optimizer, 2 gradients, 3 weights",
    "Train.offload": "optimizer states in the machine's memory; takes effect with zero_stage above 0",
    "Train.dtype": "of matrix products (weights stay float32); auto: bfloat16 where the hardware has it",
    "Train.gradient_checkpointing": "less memory, more computing",
    "Train.held_out_share": "of the training set, for the held-out loss",
    "Train.eval_every_steps": "how often the held-out loss is computed",
    "Train.mask_failed_actions": "no loss on actions that failed",
    "Train.thought_weight": "of the loss on thought and reasoning",
    "Train.code_weight": "of the loss on code and tool calls",
    "Train.final_weight": "of the loss on what gives the answer, in place of the other two",
    "Train.seed": "of shuffling, dropout and new adapter weights",
    "Train.workers": "training processes",
    "Train.cpus_per_worker": "what Ray reserves",
    "Train.checkpoint": "when, and how many stay",
    "Train.log_every_steps": "how often a line goes to metrics.jsonl",
    "Train.tensorboard": "write tensorboard/ too",
    "Train.tracker": "a tracking service besides",
    "Train.tracker_project": "the project's name there",
    "Lora.enabled": "false: full weights",
    "Lora.r": "rank",
    "Lora.alpha": "scale: alpha / r",
    "Lora.dropout": "on the adapter's input",
    "Lora.target_modules": "names of layers",
    "Checkpoint.every_steps": "null: by time alone",
    "Checkpoint.every_minutes": "null: by steps alone",
    "Evaluate.engine": "of every cell that names none",
    "Evaluate.agent": "of every cell that names none",
    "Evaluate.cells": "the grid",
    "Evaluate.seeds": "each cell is run once per seed",
    "EvaluationCell.name": "its row in tables, its folder in scores/",
    "EvaluationCell.mode": "act; answer in one turn; the same with passages in front; several episodes that vote",
    "Report.title": "of the page; empty: the names of the runs",
    "Report.max_trajectories": "in the page; tables and plots count all",
    "Cluster.num_cpus": "of a Ray of our own; null: what the machine has",
    "Cluster.object_store_mb": "of a Ray of our own; null: what Ray chooses",
}


def meaning_key(cls: type, name: str) -> str:
    return f"{cls.__name__.removesuffix('Config')}.{name}"


def meaning_of(cls: type, name: str, comments: dict[str, str]) -> str:
    """The comment on the field's line, else the phrase here; sections of the root speak for themselves."""
    if cls is config.RunConfig and name not in ("name", "folder", "seed", "tools", "recipe", "recipe_settings"):
        return "see below"
    return comments.get(name) or MEANINGS.get(meaning_key(cls, name), "")


def tables() -> str:
    """All tables, one a class, as Markdown."""
    return "\n".join(_table(cls, prefixes) for cls, prefixes in SECTIONS)


def page(current: str) -> str:
    """The page with its tables made anew. Raises ValueError where the markers are missing."""
    head, begin, rest = current.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name}: expected the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


def _table(cls: type, prefixes: tuple[str, ...]) -> str:
    title = ", ".join(f"`{prefix}`" for prefix in prefixes) if prefixes != ("",) else "The root"
    lines = [f"### {title}", ""]
    if description := _description(cls):
        lines += [description, ""]
    lines += ["| key | type | default | bounds | binds | meaning |", "|---|---|---|---|---|---|"]
    hints, comments, checks = typing.get_type_hints(cls), comments_of(cls), _checks(cls)
    for item in dataclasses.fields(cls):
        meaning = meaning_of(cls, item.name, comments)
        binds = "yes" if config.settings.binds(item) else "no"
        cells = [
            f"`{item.name}`",
            _type(hints[item.name]),
            _default(item),
            _bounds(item, checks),
            binds,
            _escape(meaning),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _description(cls: type) -> str:
    text = inspect.cleandoc(cls.__doc__ or "")
    return "" if text.startswith(f"{cls.__name__}(") else " ".join(text.split())


def comments_of(cls: type) -> dict[str, str]:
    """The comment within the lines of each field's definition."""
    source = textwrap.dedent(inspect.getsource(cls))
    by_line = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in _class(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            found[node.target.id] = " ".join(by_line[line] for line in lines if line in by_line)
    return found


def _class(source: str) -> ast.ClassDef:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.ClassDef)
    return node


def _checks(cls: type) -> dict[str, list[str]]:
    """What `problems()` expects of each key, figures of the moment left out."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(_class(textwrap.dedent(inspect.getsource(cls)))):
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            key, _, expected = node.value.elts
            if isinstance(key, ast.Constant):
                found.setdefault(str(key.value), []).append(_without_figures(expected))
    return found


def _without_figures(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "plugins.three_ways":
        return f"a known {ast.literal_eval(node.args[0])}, or [one of your own](extending.md)"
    assert isinstance(node, ast.JoinedStr)
    parts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
    return "".join(parts).replace(" (...)", "")


def _type(hint: Any) -> str:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(_type(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        return f"list of {_type(item)}"
    if typing.get_origin(hint) is dict:
        return "mapping"
    if hint is types.NoneType:
        return "null"
    return "section" if dataclasses.is_dataclass(hint) else hint.__name__


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is not dataclasses.MISSING:
        value = item.default
    else:
        assert item.default_factory is not dataclasses.MISSING
        value = item.default_factory()
    if dataclasses.is_dataclass(value):
        return "below"
    if isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
        return ", ".join(f"`{_entry(entry)}`" for entry in value)
    return f"`{_plain(value)}`"


def _entry(value: Any) -> str:
    """A list's section as YAML writes it, without what is at its default."""
    changed = {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
        if field.name in ("task", "name", "split") or getattr(value, field.name) != field.default
    }
    return "{" + ", ".join(f"{name}: {_plain(item)}" for name, item in changed.items()) + "}"


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return '""' if value == "" else str(value)


def _bounds(item: dataclasses.Field[Any], checks: dict[str, list[str]]) -> str:
    bounds = item.metadata
    parts = [
        f"{word} {bounds[name]:g}"
        for name, word in (("ge", "at least"), ("gt", "more than"), ("le", "at most"))
        if bounds.get(name) is not None
    ]
    if kind := bounds.get("plugin"):
        parts.append(", ".join([*(f"`{name}`" for name in plugins.BUILT_IN.get(kind, {})), "or one of yours"]))
    if bounds.get("choices"):
        parts.append(", ".join(f"`{choice}`" for choice in bounds["choices"]))
    return _escape("; ".join(dict.fromkeys([*parts, *checks.get(item.name, [])])))


def _escape(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def main() -> int:
    current = PAGE.read_text(encoding="utf-8")
    made = page(current)
    if "--check" in sys.argv[1:]:
        return int(made != current)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

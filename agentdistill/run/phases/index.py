"""index/: what search() finds."""

from __future__ import annotations

from typing import Any

from agentdistill import storage
from agentdistill.config import RunConfig
from agentdistill.console import StageProgress, console
from agentdistill.run.phases.base import Ask, Call, Need, Phase
from agentdistill.run.planning.needs import GB, PASSAGE_BYTES, index_gb


def do(call: Call) -> dict[str, Any]:
    """Encode the corpus and build the retriever's index."""
    from agentdistill.retrieval.build import build_index
    from agentdistill.retrieval.command import describe

    retriever = call.config.retriever
    if not retriever.enabled:
        return {"passages": 0, "kind": "none"}
    with StageProgress("index") as progress:
        info = build_index(
            retriever,
            corpus_rows(call.config),
            call.output.path,
            progress=lambda what, done, total: progress.update(done, total or None, what),
        )
    for line in describe(info):
        console.print(f"  {line}", style="dim", markup=False)
    return {"passages": info.count, "kind": retriever.index.kind}


def corpus_rows(config: RunConfig) -> Any:
    """The rows of the built-in corpus, or None where the config names a file."""
    if config.retriever.corpus != "builtin":
        return None
    from agentdistill.tasks.world import corpus

    return list(corpus())


def is_there(call: Call) -> bool:
    """Whether the index lies where it is now looked for: its folder may differ between two starts."""
    return not call.config.retriever.enabled or storage.exists(storage.join(call.output.path, "manifest.json"))


def brief(summary: dict[str, Any]) -> str:
    if summary["kind"] == "none":
        return "none: retriever.enabled is false"
    return f"{summary['passages']} passages, {summary['kind']}"


def ask(call: Call) -> Ask:
    retriever = call.config.retriever
    if not retriever.enabled:
        return Ask(call.name, "nothing: retriever.enabled is false", "none", 0, 0)
    actors = retriever.encode_actors
    does = f"{retriever.index.kind} index of {retriever.corpus} with {retriever.encoder.model}"
    if retriever.index.file is not None:
        return Ask(call.name, f"{does}, from {retriever.index.file}", "this process", 1, 0)
    where = f"{actors} encoders" if actors else "this process"
    return Ask(call.name, does, where, max(1, actors), actors * retriever.gpus_per_encode_actor)


def need(call: Call) -> Need | None:
    retriever, size = call.config.retriever, index_gb(call.config)
    if size is None or retriever.expected_passages is None:
        return None
    passages = retriever.expected_passages * PASSAGE_BYTES / GB
    if retriever.index.file is not None:
        why = f"passages; the index of {size:.1f} GB is opened where it lies"
        return Need(call.name, disk_gb=passages, why=why)
    why = "index, vectors while it is built, passages"
    return Need(call.name, memory_gb=size, disk_gb=2 * size + passages, why=why)


INDEX = Phase("index", "Retriever's index", ("retriever",), do, brief, ask, need, is_there=is_there)

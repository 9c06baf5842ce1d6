"""`--dry-run`: the stages of a run, and what each will ask the cluster for."""

from __future__ import annotations

import dataclasses

from rich.table import Table

from agentdistill.config import EngineConfig, EvaluationCell, RunConfig, VoteConfig
from agentdistill.console import console
from agentdistill.pipeline.needs import Need, count_questions, make_needs, shown


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """What one stage does and asks for at its largest."""

    stage: str
    does: str
    workers: str
    cpus: float
    gpus: float


def print_plan(config: RunConfig, stages: tuple[str, ...]) -> None:
    """Print the plan; starts nothing and reads no data."""
    table = Table(title=f"Run {config.name} in {config.folder}", title_justify="left")
    for heading in ("stage", "does"):
        table.add_column(heading)
    table.add_column("workers")
    table.add_column("CPUs", justify="right")
    table.add_column("GPUs", justify="right")
    for ask in make_plan(config):
        if ask.stage in stages:
            table.add_row(ask.stage, ask.does, ask.workers, f"{ask.cpus:g}", f"{ask.gpus:g}")
    console.print(table)
    needs = [need for need in make_needs(config) if need.stage in stages]
    if needs:
        console.print(_needs_table(needs))


def _needs_table(needs: list[Need]) -> Table:
    table = Table(title="What the stages need: derived from the config, nothing is measured", title_justify="left")
    table.add_column("stage")
    for heading in ("each GPU, GB", "memory, GB", "disk, GB", "tokens at most"):
        table.add_column(heading, justify="right")
    table.add_column("what of")
    for need in needs:
        sizes = (_size(value) for value in (need.gpu_gb, need.memory_gb, need.disk_gb))
        table.add_row(need.stage, *sizes, shown(need.tokens) if need.tokens else "", need.why)
    return table


def _size(gb: float | None) -> str:
    if gb is None:
        return ""
    return f"{gb:.1f}" if gb >= 0.05 else "< 0.1"


def make_plan(config: RunConfig) -> list[Ask]:
    """The asks of every stage. GPUs count where the config names them, or where an engine or worker would take one."""
    return [
        _questions(config),
        _index(config),
        _rollout(config),
        Ask("select", _selection(config), "this process", 1, 0),
        _train(config),
        _evaluate(config),
        Ask("report", "one page, tables and plots", "this process", 1, 0),
    ]


def _questions(config: RunConfig) -> Ask:
    train, test = (
        (", ".join(task.task for task in tasks) or "nothing")
        + (f" ({count:,})" if (count := count_questions(tasks)) else "")
        for tasks in (config.questions.train, config.questions.test)
    )
    return Ask("questions", f"train on {train}; test on {test}", "this process", 1, 0)


def _index(config: RunConfig) -> Ask:
    retriever = config.retriever
    if not retriever.enabled:
        return Ask("index", "nothing: retriever.enabled is false", "none", 0, 0)
    actors = retriever.encode_actors
    does = f"{retriever.index.kind} index of {retriever.corpus} with {retriever.encoder.model}"
    if retriever.index.file is not None:
        return Ask("index", f"{does}, from {retriever.index.file}", "this process", 1, 0)
    where = f"{actors} encoders" if actors else "this process"
    return Ask("index", does, where, max(1, actors), actors * retriever.gpus_per_encode_actor)


def _rollout(config: RunConfig) -> Ask:
    rollout = config.rollout
    if rollout.reuse is not None:
        return Ask("rollout", f"the trajectories of {rollout.reuse}", "this process", 1, 0)
    actors = rollout.max_actors or rollout.actors
    services_cpus, services_gpus, services = _services(config)
    mode = "" if config.teacher.mode == "agent" else f" in mode {config.teacher.mode}"
    does = (
        f"{_engine(config.teacher.engine)}{mode}, {rollout.samples} sample(s) a question, {rollout.in_flight} in "
        f"flight each{', first-thought prefix' if config.teacher.agent.first_thought_prefix else ''}"
        f"{_sag(config.teacher.agent)}{_judge(config)}"
    )
    gpus = max(actors * _engine_gpus(config, config.teacher.engine), _judge_gpus(config))
    return Ask(
        "rollout",
        does,
        f"{_range(rollout.actors, actors)} engines, {services}",
        actors * rollout.cpus_per_actor + services_cpus,
        gpus + services_gpus,
    )


def _train(config: RunConfig) -> Ask:
    train = config.train
    method = f"LoRA r={train.lora.r}" if train.lora.enabled else "full weights"
    gpus = train.gpus_per_worker if train.gpus_per_worker is not None else 1.0
    does = f"{train.model}, {method}, {train.epochs:g} epochs, ZeRO {train.zero_stage}"
    return Ask("train", does, f"{train.workers} workers", train.workers * train.cpus_per_worker, train.workers * gpus)


def _evaluate(config: RunConfig) -> Ask:
    evaluate, rollout = config.evaluate, config.rollout
    actors = rollout.max_actors or rollout.actors
    services_cpus, services_gpus, services = _services(config)
    cells = ", ".join(f"{cell.name} ({_mode(cell)}{_sag(cell.agent or evaluate.agent)})" for cell in evaluate.cells)
    gpus = max(_engine_gpus(config, cell.engine or evaluate.engine) for cell in evaluate.cells)
    return Ask(
        "evaluate",
        f"{cells}; seeds {', '.join(map(str, evaluate.seeds))}{_judge(config)}",
        f"{_range(rollout.actors, actors)} engines, {services}",
        actors * rollout.cpus_per_actor + services_cpus,
        max(actors * gpus, _judge_gpus(config)) + services_gpus,
    )


def _mode(cell: EvaluationCell) -> str:
    if cell.mode != "vote":
        return cell.mode
    vote = cell.vote or VoteConfig()
    most = "up to " if vote.budget_of else ""
    return f"vote of {most}{vote.n} {cell.episode_mode} episodes"


def _judge(config: RunConfig) -> str:
    judge = config.grading.judge
    return "" if judge is None else f"; then facts judged by {_engine(judge.engine)}"


def _judge_gpus(config: RunConfig) -> float:
    """The judge works when the episodes are done, on the GPUs that their engines had."""
    judge = config.grading.judge
    if judge is None:
        return 0.0
    if judge.gpus_per_actor is not None:
        return judge.actors * judge.gpus_per_actor
    return float(judge.actors * judge.engine.tensor_parallel) if judge.engine.engine == "vllm" else 0.0


def _services(config: RunConfig) -> tuple[float, float, str]:
    retriever, sandbox = config.retriever, config.sandbox
    cpus = gpus = 0.0
    names = []
    if retriever.enabled:
        cpus += retriever.max_replicas * retriever.cpus_per_replica
        gpus += retriever.max_replicas * retriever.gpus_per_replica
        names.append(f"{_range(retriever.replicas, retriever.max_replicas)} retriever")
    if sandbox.service:
        cpus += sandbox.max_replicas * sandbox.cpus_per_replica
        names.append(f"{_range(sandbox.replicas, sandbox.max_replicas)} sandbox")
    return cpus, gpus, ", ".join(names) or "no services"


def _engine_gpus(config: RunConfig, engine: EngineConfig) -> float:
    if engine.engine != "vllm":
        return 0.0
    given = config.rollout.gpus_per_actor
    return float(engine.tensor_parallel) if given is None else given


def _engine(engine: EngineConfig) -> str:
    if engine.engine == "scripted":
        return f"scripted expert {engine.expert}"
    parallel = f" on {engine.tensor_parallel} GPUs" if engine.tensor_parallel > 1 else ""
    return f"{engine.model} by {engine.engine}{parallel}"


def _sag(agent: object) -> str:
    n = agent.sag.n  # type: ignore[attr-defined]
    return f", SAG N={n}" if n > 1 else ""


def _selection(config: RunConfig) -> str:
    rules = [
        name
        for name in (
            "correct", "no_parse_error", "within_steps", "drop_repeated", "trim_repeated", "deduplicate",
            "near_duplicates",
        )
        if getattr(config.select, name)
    ]  # fmt: skip
    most = config.select.max_per_question
    return "keep " + ", ".join(rules) + (f", the {most} {config.select.per_question} of a question" if most else "")


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"

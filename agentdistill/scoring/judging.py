"""A language model as judge of the factual answers that rollouts left ungraded.

Answers are judged after the episodes, not within them: the judge's engine shares no actor with the student's, each
different answer is asked once, and a judge that was down is asked again without running an episode again.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from agentdistill import storage
from agentdistill.config import JudgeConfig
from agentdistill.engines import Engine, actor_gpus, engine_name, open_engine
from agentdistill.errors import AgentDistillError, EngineError
from agentdistill.grading import GradeRequest, Judge, JudgeSettings, judge_name
from agentdistill.schema import TRAJECTORIES
from agentdistill.types import Completion, Kind, Request, StopReason, kind_of

_COLUMNS = ["question", "kind", "gold_answers", "answer", "stop_reason", "grade"]
_ERROR = "judge: "  # in front of the reason, in the error of a trajectory without a verdict
_CALLS = 2  # batches that an actor works on at once, so that none waits for the last answer of another


@dataclass(frozen=True, slots=True)
class JudgeSummary:
    """What came of the answers that had no grade; those that failed have none still."""

    answers: int = 0
    judged: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # why answers failed, most frequent first


@dataclass(frozen=True, slots=True)
class _Ruling:
    verdict: bool | None
    reason: str  # why there is no verdict


def judge_rollouts(
    folders: Sequence[str],
    config: JudgeConfig,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> JudgeSummary:
    """Grade every factual answer in these folders that has no grade; verdicts are kept in the folder `config.cache`.

    Needs a running Ray. `on_progress` gets how many different answers are decided, of how many. A judge that cannot be
    opened or asked leaves answers without a grade and with the reason in their `error`; nothing is raised for it.
    """
    cases: Counter[GradeRequest] = Counter()
    for folder in folders:
        for path in storage.parquet_files(folder):
            cases.update(request for request in _ungraded(storage.read_table(path, TRAJECTORIES, _COLUMNS)) if request)
    if not cases:
        return JudgeSummary()
    rulings = _rule(list(cases), config, on_progress)
    for folder in folders:
        for path in storage.parquet_files(folder):
            _write_grades(path, rulings, judge_name(engine_name(config.engine)))
    reasons: Counter[str] = Counter()
    for request, count in cases.items():
        if rulings[request].verdict is None:
            reasons[rulings[request].reason] += count
    failed = sum(reasons.values())
    total = sum(cases.values())
    return JudgeSummary(total, total - failed, failed, dict(reasons.most_common()))


def _ungraded(table: pa.Table) -> list[GradeRequest | None]:
    """For each row the request that a judge has to decide, or None."""
    requests: list[GradeRequest | None] = []
    for row in table.select(_COLUMNS).to_pylist():
        request = GradeRequest(kind_of(row["kind"]), tuple(row["gold_answers"]), row["answer"], row["question"])
        is_open = row["grade"] is None and not StopReason(row["stop_reason"]).is_system and request.needs_judge
        requests.append(request if is_open else None)
    return requests


def _rule(
    cases: list[GradeRequest], config: JudgeConfig, on_progress: Callable[[int, int], None]
) -> dict[GradeRequest, _Ruling]:
    """Every case's ruling, from judges on Ray Data."""
    import ray

    rows = max(1, min(config.in_flight, math.ceil(len(cases) / (2 * config.actors))))
    gpus = actor_gpus(config.engine, config.gpus_per_actor, bool(ray.cluster_resources().get("GPU")))
    dataset = ray.data.from_blocks(list(_blocks(cases, rows))).map_batches(
        JudgeWorker,
        fn_constructor_args=(config,),
        batch_size=rows,  # as many as a block holds: Ray Data takes no GPUs for batches of whole blocks
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(
            size=config.actors, max_tasks_in_flight_per_actor=2 * _CALLS, max_concurrent_calls_per_actor=_CALLS
        ),
        num_cpus=config.cpus_per_actor,
        num_gpus=gpus or None,
    )
    rulings: dict[GradeRequest, _Ruling] = {}
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in batch.to_pylist():
            rulings[cases[row["case"]]] = _Ruling(row["verdict"], row["reason"])
        on_progress(len(rulings), len(cases))
    return rulings


def _blocks(cases: Sequence[GradeRequest], rows: int) -> Iterator[pa.Table]:
    """The cases with their numbers, `rows` a block."""
    for start in range(0, len(cases), rows):
        group = cases[start : start + rows]
        yield pa.table(
            {
                "case": list(range(start, start + len(group))),
                "question": [case.question for case in group],
                "gold_answers": [list(case.gold) for case in group],
                "answer": [case.prediction for case in group],
            }
        )


class JudgeWorker:
    """A judge in an actor of Ray Data. Its engine is opened for the first answer that no kept verdict decides."""

    def __init__(self, config: JudgeConfig) -> None:
        self._engine = _LateEngine(config)
        self._judge = Judge(self._engine, JudgeSettings(engine_name(config.engine), config))

    async def __call__(self, batch: pa.Table) -> pa.Table:
        """The verdicts on a batch of cases, null where there is none, and then why."""
        rows = batch.to_pylist()
        requests = [
            GradeRequest(Kind.FACTUAL, tuple(row["gold_answers"]), row["answer"], row["question"]) for row in rows
        ]
        verdicts = await self._judge.judge_many(requests)
        reasons = [
            "" if verdict is not None else self._judge.reason(request)
            for verdict, request in zip(verdicts, requests, strict=True)
        ]
        return pa.table(
            {
                "case": [row["case"] for row in rows],
                "verdict": pa.array(verdicts, pa.bool_()),
                "reason": pa.array(reasons, pa.string()),
            }
        )


class _LateEngine:
    """An engine that is opened when it is first asked."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config.engine
        self._engine: Engine | None = None
        self._failure = ""
        self._lock = asyncio.Lock()

    async def __call__(self, request: Request) -> list[Completion]:
        """Raises EngineError, also where the engine cannot be opened; that is tried once."""
        async with self._lock:
            if self._engine is None and not self._failure:
                try:
                    self._engine = await open_engine(self._config)
                except AgentDistillError as error:
                    self._failure = str(error)
        if self._engine is None:
            raise EngineError(self._failure)
        return await self._engine(request)


def _write_grades(path: str, rulings: dict[GradeRequest, _Ruling], grader: str) -> None:
    """Put the grades into a file, which is replaced whole; a file without an ungraded answer stays as it is."""
    table = storage.read_table(path, TRAJECTORIES)
    requests = _ungraded(table)
    if not any(requests):
        return
    grades, errors = table.column("grade").to_pylist(), table.column("error").to_pylist()
    for index, request in enumerate(requests):
        if request is None:
            continue
        ruling = rulings[request]
        if ruling.verdict is None:
            errors[index] = _ERROR + ruling.reason
            continue
        grades[index] = {"score": float(ruling.verdict), "correct": ruling.verdict, "grader": grader}
        errors[index] = ""
    for name, values in (("grade", grades), ("error", errors)):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, TRAJECTORIES.field(name), pa.array(values, TRAJECTORIES.field(name).type))
    storage.write_table(path, table.replace_schema_metadata(TRAJECTORIES.metadata))

"""How missing episodes reach the actors: small calls, many open at a time, cut from the questions without a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from agentdistill.config import RolloutConfig
from agentdistill.engines import actor_gpus
from agentdistill.rollout.spec import RolloutSpec, WorkItem
from agentdistill.schema import QUESTIONS, questions_to_table

_MOST_CALLS = 16_384  # of one run: the driver keeps a few kilobytes of accounts for each


@dataclass(frozen=True, slots=True)
class Portions:
    """Sizes of what one actor is handed."""

    rows: int  # episodes a call
    calls: int  # open at once


def portions(num_missing: int, config: RolloutConfig) -> Portions:
    """Sizes that keep `in_flight` episodes running in each actor beside ones that take many times longer.

    A call stays open until its slowest episode ends. Where one episode in 50 takes 20 times as long, most of the open
    calls hold one slow episode and nothing else: with 8 rows a call only 29% of the rows in open calls are still
    running, with 2 rows 66%. So calls are small, and many more rows are open than run; those beyond `in_flight` wait in
    the actor and cost nothing.
    """
    pool = config.max_actors or config.actors
    share = math.ceil(num_missing / pool)
    rows = max(config.in_flight // 64, math.ceil(num_missing / _MOST_CALLS))
    rows = max(1, min(rows, share // 8))
    calls = math.ceil(config.in_flight * (0.5 + 1.5 / rows)) + 1
    # No actor takes more than its share while others start; but it is not left idle for ones that may never come.
    certain = config.in_flight if pool > config.actors else 1
    return Portions(rows, min(calls, math.ceil(max(share, certain) / rows)))


def build_dataset(missing: Sequence[WorkItem], specs: Sequence[RolloutSpec], monitor: object) -> Any:
    """The lazy data set whose execution runs `missing`; each of its rows is the key of an episode that is on storage.

    The blocks are put in place as they will be handed out. To cut them on the cluster would take tasks, for which
    actors that hold all processors leave no room.
    """
    import ray

    from agentdistill.rollout.worker import EpisodeWorker

    spec = specs[0]
    config = spec.rollout
    sizes = portions(len(missing), config)
    gpus = actor_gpus(spec.engine, config.gpus_per_actor, bool(ray.cluster_resources().get("GPU")))
    dataset = ray.data.from_blocks(list(_blocks(missing, sizes.rows)))
    # Every open call would have a thread that asks for the actor's memory each second: hundreds of them.
    dataset.context.memory_usage_poll_interval_s = None
    # Ray's own threshold counts calls that queue in front of an actor. Here none does: a full actor is reason to grow.
    dataset.context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    return dataset.map_batches(
        EpisodeWorker,
        fn_constructor_args=(tuple(specs), monitor),
        batch_size=sizes.rows,  # as many as a block holds: Ray Data takes no GPUs for batches of whole blocks
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(
            min_size=config.actors,
            max_size=config.max_actors or config.actors,
            max_tasks_in_flight_per_actor=sizes.calls,
            max_concurrent_calls_per_actor=sizes.calls,
        ),
        num_cpus=config.cpus_per_actor,
        num_gpus=gpus or None,
    )


def _blocks(missing: Sequence[WorkItem], rows: int) -> Iterator[pa.Table]:
    """The questions' columns with `sample_index` and `spec_index`, `rows` rows a block."""
    items = iter(missing)
    while group := list(islice(items, rows)):
        table = questions_to_table(item.question for item in group)
        for name in ("sample_index", "spec_index"):
            table = table.append_column(name, pa.array([getattr(item, name) for item in group], pa.int32()))
        yield table.replace_schema_metadata(QUESTIONS.metadata)

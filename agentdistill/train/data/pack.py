"""Which examples make an optimizer step, which rank takes which, and how they share rows.

The examples of a step depend on the seed alone, never on how many ranks there are, so that the loss curve is the same
on any number of them. Within a step, sequences go longest first to the rank with the fewest tokens, and each rank
packs its own into rows, best fit, longest first.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from agentdistill.config.train import TrainConfig


def pack_rows(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins of indices whose lengths sum to at most `capacity` tokens: best fit, longest first.

    Raises ValueError where one length exceeds the capacity.
    """
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (tokens left, bin), sorted
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[index]
        if length > capacity:
            raise ValueError(f"a sequence of {length} tokens does not fit into a row of {capacity}")
        place = bisect.bisect_left(free, (length, -1))
        if place < len(free):
            left, chosen = free.pop(place)
        else:
            left, chosen = capacity, len(bins)
            bins.append([])
        bins[chosen].append(index)
        bisect.insort(free, (left - length, chosen))
    return bins


def balance(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Return `parts` lists of indices with about equal token sums: longest first, to the part with the fewest."""
    loads = [0] * parts
    result: list[list[int]] = [[] for _ in range(parts)]
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        chosen = min(range(parts), key=lambda part: (loads[part], part))
        result[chosen].append(index)
        loads[chosen] += lengths[index]
    return result


def row_fill(rows: Sequence[Sequence[int]], lengths: Sequence[int], capacity: int) -> float:
    """The share of `capacity` that tokens fill, over all rows."""
    return sum(lengths[index] for row in rows for index in row) / max(1, len(rows) * capacity)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every optimizer step of a run, as indices into the rendered sequences."""

    lengths: tuple[int, ...]  # [num_sequences] tokens
    steps: tuple[tuple[int, ...], ...]  # [num_steps] sequences of each step
    steps_per_epoch: int
    capacity: int  # tokens a row
    packing: bool

    @property
    def num_steps(self) -> int:
        return len(self.steps)

    def rows(self, step: int, world_size: int) -> list[list[list[int]]]:
        """Return [world_size][num_rows] lists of sequences; every rank has as many rows, some perhaps empty.

        Equal counts because ranks reduce gradients (and, in ZeRO-3, gather weights) together at every row.
        """
        members = self.steps[step]
        lengths = [self.lengths[index] for index in members]
        ranks = []
        for part in balance(lengths, world_size):
            if self.packing:
                bins = pack_rows([lengths[place] for place in part], self.capacity)
                ranks.append([[members[part[item]] for item in row] for row in bins])
            else:
                ranks.append([[members[place]] for place in part])
        most = max(len(rows) for rows in ranks)
        return [rows + [[] for _ in range(most - len(rows))] for rows in ranks]


def plan_steps(groups: Sequence[Sequence[int]], lengths: Sequence[int], config: TrainConfig) -> Plan:
    """Plan a run over examples given as groups of sequence indices (one sequence an example, as a rule).

    A step takes `batch_size` examples of the epoch's shuffled order, or, with `batch_rows`, that many full rows packed
    from the whole epoch. The last step of an epoch may be smaller. A fractional epoch is cut to whole steps, upwards.
    """
    steps: list[tuple[int, ...]] = []
    per_epoch = wanted = 0
    for epoch in itertools.count():
        if config.batch_rows is None:
            current = _example_batches(groups, config.batch_size, config.seed, epoch)
        else:
            current = _row_batches(groups, lengths, config.batch_rows, config.row_tokens, config.seed, epoch)
        if not epoch:
            per_epoch = len(current)
            wanted = max(1, math.ceil(config.epochs * per_epoch - 1e-9))
            wanted = wanted if config.max_steps is None else min(wanted, config.max_steps)
        steps.extend(tuple(step) for step in current)
        if len(steps) >= wanted:
            break
    return Plan(tuple(lengths), tuple(steps[:wanted]), per_epoch, config.row_tokens, config.packing)


def _shuffled(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def _example_batches(groups: Sequence[Sequence[int]], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    order = _shuffled(len(groups), seed, epoch)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [[index for group in batch for index in groups[group]] for batch in batches]


def _row_batches(
    groups: Sequence[Sequence[int]], lengths: Sequence[int], batch_rows: int, capacity: int, seed: int, epoch: int
) -> list[list[int]]:
    order = [index for group in _shuffled(len(groups), seed, epoch) for index in groups[group]]
    rows = [[order[place] for place in row] for row in pack_rows([lengths[index] for index in order], capacity)]
    random.Random(f"{seed}/{epoch}/rows").shuffle(rows)
    starts = range(0, len(rows), batch_rows)
    return [[index for row in rows[start : start + batch_rows] for index in row] for start in starts]

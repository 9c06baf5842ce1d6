"""The training loop: one process of however many, from the rendered sequences to trained weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agentdistill.config.train import TrainConfig
from agentdistill.errors import CheckpointError, TrainingError
from agentdistill.train import checkpoint as checkpoints
from agentdistill.train.backends.base import Backend
from agentdistill.train.backends.choose import make_backend
from agentdistill.train.checkpoint import CheckpointWriter, TrainState
from agentdistill.train.data.pack import Plan, pack_rows
from agentdistill.train.data.rows import Row, make_row
from agentdistill.train.data.sequences import SequenceSet
from agentdistill.train.faults import check_finite, explain_memory, is_out_of_memory
from agentdistill.train.metrics import Sink, StepMetrics, open_sinks, peak_memory_mb
from agentdistill.train.model.student import Student
from agentdistill.train.schedule import learning_rate
from agentdistill.train.world import World

#: The rows of one optimizer step for one rank, in order.
StepRows = list[Row]


@dataclass(frozen=True, slots=True)
class LoopFolders:
    """Where a run reads and writes."""

    checkpoints: Path
    metrics: Path
    name: str


def rows_of(sequences: SequenceSet, plan: Plan, world: World, first_step: int) -> Iterator[StepRows]:
    """This rank's rows of each step from `first_step` on."""
    for step in range(first_step, plan.num_steps):
        yield [make_row([sequences[index] for index in row]) for row in plan.rows(step, world.size)[world.rank]]


class Loop:
    """Trains `student` by `plan`; every rank makes one and calls `run`."""

    def __init__(
        self,
        config: TrainConfig,
        student: Student,
        sequences: SequenceSet,
        plan: Plan,
        world: World,
        folders: LoopFolders,
        fingerprint: str,
        report: Callable[[StepMetrics], None] | None = None,
    ):
        self.config, self.student, self.sequences, self.plan = config, student, sequences, plan
        self.world, self.folders = world, folders
        self.backend: Backend = make_backend(config, student, world)
        self.state = TrainState(fingerprint=fingerprint)
        self._report = report
        self._writer = CheckpointWriter(folders.checkpoints, config.checkpoint.keep)
        self._last_checkpoint_s = time.monotonic()

    def resume(self, warn: Callable[[str], None]) -> int:
        """Go on from the last complete checkpoint, where there is one; returns the steps already done."""
        folder = self.folders.checkpoints
        found = checkpoints.find_checkpoints(folder, warn) if self.world.is_first else []
        # What the first rank sees decides for all: storage may show a file to one node before another.
        step = int(self.world.largest(float(checkpoints.step_of(found[-1])) if found else 0.0))
        if self.world.is_first:
            checkpoints.remove_partial(folder)
        if step:
            self._restore(checkpoints.checkpoint_path(folder, step))
        return self.state.step

    def _restore(self, path: Path) -> None:
        if not self.world.is_first and not path.exists():
            raise CheckpointError(f"{path}: only the first rank sees it, expected a run folder that every node shares")
        state = checkpoints.read_state(path)
        checkpoints.restore(self.backend, path, state.step)
        self.state = state

    def run(self, rows: Iterable[StepRows] | None = None) -> TrainState:
        """Train to the end of the plan, or to an early stop; returns the final state.

        Raises TrainingError where the loss is not finite or memory runs out, CheckpointError where a checkpoint
        cannot be written.
        """
        sinks = self._sinks()
        stream = rows if rows is not None else rows_of(self.sequences, self.plan, self.world, self.state.step)
        try:
            for step_rows in stream:
                if self.state.step >= self.plan.num_steps:
                    break
                metrics = self._step(step_rows)
                self._emit(sinks, metrics)
                if self._should_stop():
                    break
                self._maybe_checkpoint(metrics)
            self._writer.wait()
        finally:
            for sink in sinks:
                sink.close()
        if self.state.step < self.plan.num_steps and not self._should_stop():
            raise TrainingError(
                f"the data ended at step {self.state.step} of {self.plan.num_steps}; run the same command again"
            )
        self._use_best()
        return self.state

    def _sinks(self) -> list[Sink]:
        if not self.world.is_first:
            return []
        return open_sinks(self.config, self.folders.metrics, self.folders.name, self.state.step)

    def _step(self, rows: StepRows) -> StepMetrics:
        """One optimizer step."""
        started, step = time.monotonic(), self.state.step
        members = self.plan.steps[step]
        (total_weight,) = self.world.sum(float(sum(row.weights.sum() for row in rows)))
        loss_sum = 0.0
        for index, row in enumerate(rows):
            loss_sum += self._backward(row, step, index, total_weight, last=index == len(rows) - 1)
        trained = float(sum(len(row.targets) for row in rows))
        own_tokens = float(sum(self._tokens(row) for row in rows))
        computed = float(sum(row.num_tokens for row in rows))
        loss_sum, trained, tokens, computed = self.world.sum(loss_sum, trained, own_tokens, computed)
        rate = self._rate(step)
        ids = list(dict.fromkeys(self.sequences.example_ids[index] for index in members))
        check_finite(step + 1, loss_sum / total_weight, None, rate, ids)
        norm = self.backend.step(rate)
        check_finite(step + 1, loss_sum / total_weight, norm, rate, ids)
        fullest = self.world.largest(own_tokens)
        seconds = time.monotonic() - started
        self._advance(loss_sum / total_weight, int(trained), int(tokens), seconds)
        return StepMetrics(
            step=self.state.step,
            num_steps=self.plan.num_steps,
            epoch=self.state.step / self.plan.steps_per_epoch,
            loss=loss_sum / total_weight,
            learning_rate=rate,
            grad_norm=norm,
            tokens=int(tokens),
            trained_tokens=int(trained),
            tokens_per_s=tokens / seconds,
            trained_tokens_per_s=trained / seconds,
            padding_share=1 - tokens / computed if computed else 0.0,
            idle_share=1 - tokens / (fullest * self.world.size) if fullest else 0.0,
            memory_mb=self.world.largest(peak_memory_mb(self.world.device)),
            seconds=seconds,
            elapsed_s=self.state.seconds,
            held_out_loss=self._maybe_evaluate(),
        )

    def _tokens(self, row: Row) -> int:
        """Tokens of the row's examples: none in the row of a rank that has nothing left."""
        return row.num_tokens if len(row.targets) else 0

    def _rate(self, step: int) -> float:
        config = self.config
        return learning_rate(step, self.plan.num_steps, config.learning_rate, config.warmup_ratio, config.schedule)

    def _backward(self, row: Row, step: int, index: int, total_weight: float, last: bool) -> float:
        """Forward and backward of one row; returns its summed loss."""
        # Dropout depends on the place in the run alone, so that a resumed run draws what the first one would have.
        torch.manual_seed(_row_seed(self.config.seed, step, self.world.rank, index))
        try:
            loss = self.backend.loss(row.to(self.world.device))
            self.backend.backward(loss / total_weight, last)
            return float(loss.detach())
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise TrainingError(explain_memory(step + 1, row.num_tokens, error)) from error
            raise

    def _advance(self, loss: float, trained: int, tokens: int, seconds: float) -> None:
        self.state.step += 1
        self.state.trained_tokens += trained
        self.state.tokens += tokens
        self.state.seconds += seconds
        self.state.last_loss = loss

    def _maybe_evaluate(self) -> float | None:
        """Held-out loss where it is due: every `eval_every_steps`, else at the end of each epoch and of the run."""
        if not self.sequences.held_out:
            return None
        every = self.config.eval_every_steps or self.plan.steps_per_epoch
        if self.state.step % every and self.state.step < self.plan.num_steps:
            return None
        loss = self.evaluate()
        state = self.state
        state.held_out_loss = loss
        if state.best_held_out is None or loss < state.best_held_out:
            state.best_held_out, state.best_step, state.evaluations_without_gain = loss, state.step, 0
        else:
            state.evaluations_without_gain += 1
        return loss

    def evaluate(self) -> float:
        """Mean loss per trained token over the held-out sequences, without dropout; the same on every rank."""
        lengths = [self.sequences.lengths[index] for index in self.sequences.held_out]
        packed = pack_rows(lengths, self.plan.capacity)
        rounds = -(-len(packed) // self.world.size)
        total = weight = 0.0
        self.student.eval()
        with torch.no_grad():
            for number in range(rounds):
                place = number * self.world.size + self.world.rank
                members = packed[place] if place < len(packed) else []
                row = make_row([self.sequences[self.sequences.held_out[item]] for item in members])
                total += float(self.backend.loss(row.to(self.world.device)))
                weight += float(row.weights.sum())
        self.student.train()
        total, weight = self.world.sum(total, weight)
        return total / weight

    def _should_stop(self) -> bool:
        patience = self.config.early_stop_patience
        return patience is not None and self.state.evaluations_without_gain >= patience

    def _emit(self, sinks: list[Sink], metrics: StepMetrics) -> None:
        due = metrics.step % self.config.log_every_steps == 0 or metrics.held_out_loss is not None
        if not self.world.is_first or not (due or metrics.step == self.plan.num_steps):
            return
        for sink in sinks:
            sink.write(metrics)
        if self._report is not None:
            self._report(metrics)

    def _maybe_checkpoint(self, metrics: StepMetrics) -> None:
        """Every so many steps or minutes, and where the held-out loss is the best so far."""
        settings, state = self.config.checkpoint, self.state
        due = settings.every_steps is not None and state.step % settings.every_steps == 0
        if settings.every_minutes is not None:
            late = time.monotonic() - self._last_checkpoint_s >= settings.every_minutes * 60
            # One rank's clock decides for all.
            due = due or self.world.largest(float(late and self.world.is_first)) > 0
        best = metrics.held_out_loss is not None and state.best_step == state.step
        if due or (best and settings.keep_best):
            self.save()

    def save(self) -> None:
        """Take a checkpoint of this step; it is written while training goes on."""
        tensors = checkpoints.snapshot(self.backend, keep=self.world.is_first)
        if self.world.is_first:
            self._writer.write(tensors, self.state)
        self._last_checkpoint_s = time.monotonic()

    def _use_best(self) -> None:
        """After training with early stop, the student is the best one seen, not the last."""
        state = self.state
        if self.config.early_stop_patience is None or state.best_step in (None, state.step):
            return
        self.world.barrier()
        for path in checkpoints.find_checkpoints(self.folders.checkpoints):
            if checkpoints.step_of(path) == state.best_step:
                checkpoints.restore(self.backend, path, checkpoints.step_of(path))


def _row_seed(seed: int, step: int, rank: int, index: int) -> int:
    return hash((seed, step, rank, index)) % 2**63


def whole_weights(backend: Backend, keep: bool) -> dict[str, Any]:
    """What is trained as whole tensors in this process's memory, by parameter name."""
    result = {}
    for name, parameter in backend.student.trainable():
        tensor = backend.weight(parameter)
        if keep:
            result[name] = tensor.detach().to("cpu", torch.float32, copy=True)
    return result

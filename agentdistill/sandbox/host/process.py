"""The host's view of one process of a session: its pipe, the run that goes on in it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentdistill import errors
from agentdistill.sandbox import wire
from agentdistill.sandbox.host import usage
from agentdistill.sandbox.host.channel import Channel
from agentdistill.sandbox.host.limits import Limits, wire_bytes
from agentdistill.sandbox.host.tools import Answers, ToolLog
from agentdistill.sandbox.inside.capture import cut
from agentdistill.types import CodeError, Limit, Outcome

INTERRUPT_SIGNAL = signal.SIGUSR1
GRACE_S = 0.5  # from the interrupt to the kill
WATCH_EVERY_S = 0.1
#: Less time for which the code waited for a processor is not given back to it.
LEAST_GIVEN_S = 0.02
#: With what is given back, a run may take so many times its limit on the clock.
LONGEST = 10
FILES_RESERVE = 16  # folders that the runner itself makes, one for each fork

#: Names of faults of a part, which code may not claim: the episode would be taken for one that the system spoiled.
SYSTEM_ERRORS = frozenset(name for name, kind in vars(errors).items() if isinstance(kind, type))

_LIMIT_TEXT = {
    Limit.WALL: "it ran longer than {wall_s:g} s",
    Limit.CPU: "it used more than {cpu_s:g} s of processor time",
    Limit.MEMORY: "it used more than {memory_mb} MiB of memory",
    Limit.OUTPUT: "it printed far more than {output_chars} characters",
    Limit.FILES: "it wrote more than {file_mb} MiB or {files} files",
    Limit.PROCESSES: "it started more than {processes} processes and threads",
    Limit.VALUE: "a value had more than {value_chars} characters",
    Limit.CRASH: "the interpreter ended",
}


class Running:
    """One piece of code on its way."""

    def __init__(self, number: int, answers: Answers, wall_s: float) -> None:
        self.number = number
        self.answers = answers
        self.done: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self.log = ToolLog()
        self.limit: Limit | None = None
        self.chunks: list[str] = []
        self.started = self.resumed = time.monotonic()
        self.wall_left_s = wall_s
        self.given_s = 0.0  # time on the clock that others took from it, given back
        self.timer: asyncio.TimerHandle | None = None
        self.calls_started = self.calls_open = 0
        self.tasks: set[asyncio.Task[None]] = set()


class Process:
    """One process of a session, main or fork. Lives on one event loop."""

    def __init__(self, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        self.limits = limits
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.channel = Channel(self._on_message, self._on_end)
        self.on_message: Callable[[dict[str, Any]], None] | None = None
        self.siblings: Callable[[], frozenset[int]] = frozenset  # pids below this one that are watched by themselves
        self.folder: Path | None = None  # where files are counted; None where the kernel does it
        self.baseline_bytes = 0
        self.cpu_before_s = self.ran_before_s = self.queued_before_s = 0.0
        self._numbers = itertools.count(1)
        self._run: Running | None = None
        self._pidfd = -1

    @property
    def pid(self) -> int:
        """The pid in the host's namespace, from the kernel."""
        return self.channel.pid

    @property
    def alive(self) -> bool:
        return not self.ended.done()

    async def execute(self, code: str, answers: Answers) -> tuple[Outcome, ToolLog]:
        """Run code to its end, its limit or the process's death."""
        run = self._run = Running(next(self._numbers), answers, self.limits.wall_s)
        # Of this process alone: what was below it ended with the run before.
        self.cpu_before_s = usage.of_process(self.pid).cpu_s
        self.ran_before_s, self.queued_before_s = usage.main_thread(self.pid)
        self.channel.allowance = wire_bytes(self.limits)
        if self.alive:
            self.channel.send({"op": "run", "code": code, "id": run.number})
            self._arm(run)
        else:
            run.done.set_result(None)
        watch = asyncio.ensure_future(self._watch(run))
        try:
            fields = await run.done
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            self._run = None
            watch.cancel()
            if run.timer:
                run.timer.cancel()
            for task in run.tasks:
                task.cancel()
        return self._outcome(run, fields), run.log

    def kill(self) -> None:
        """End the process now."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and let go of its pipe. Safe to call twice."""
        self.kill()
        self.channel.close()
        self._on_end("it was closed")

    def _signal(self, signum: int) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signum)

    def _on_message(self, message: dict[str, Any]) -> None:
        op, run = message["op"], self._run
        if op == "hello" and not self.ready.done():
            self._pidfd = os.pidfd_open(self.pid)
            self.channel.peer.close()
            self.baseline_bytes = usage.of_process(self.pid).resident_bytes
            self.ready.set_result(None)
        elif op == "out" and run:
            run.chunks.append(str(message["text"]))
        elif op == "call" and run:
            self._start_call(run, message)
        elif op == "done" and run and message["id"] == run.number and not run.done.done():
            run.done.set_result(message)
        elif self.on_message:
            self.on_message(message)

    def _on_end(self, why: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(why)
        self.kill()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        if not self.ready.done():
            self.ready.set_exception(ProcessLookupError(f"the session's process ended before it was ready: {why}"))
            self.ready.exception()
        if self._run and not self._run.done.done():
            self._run.done.set_result(None)

    # Time on the clock: it stands still while the code waits for tools, or for a processor that others keep busy.

    def _arm(self, run: Running) -> None:
        run.resumed = time.monotonic()
        run.timer = asyncio.get_running_loop().call_later(run.wall_left_s, self._on_clock, run)

    def _disarm(self, run: Running) -> None:
        run.wall_left_s = max(0.0, run.wall_left_s - (time.monotonic() - run.resumed))
        if run.timer:
            run.timer.cancel()

    def _on_clock(self, run: Running) -> None:
        """Its time is over; go on for as long as others kept the processors busy that it waited for."""
        more = self._queued_for_others_s() - run.given_s
        room = LONGEST * self.limits.wall_s - (time.monotonic() - run.started - run.log.seconds)
        if min(more, room) < LEAST_GIVEN_S:
            self._stop(run, Limit.WALL)
            return
        run.wall_left_s = min(more, room)
        run.given_s += run.wall_left_s
        self._arm(run)

    def _queued_for_others_s(self) -> float:
        ran, queued = usage.main_thread(self.pid)
        # The session's other threads and processes may be what it waited for: they gain it nothing.
        own = self._usage().cpu_s - self.cpu_before_s - (ran - self.ran_before_s)
        return queued - self.queued_before_s - max(0.0, own)

    def _start_call(self, run: Running, message: dict[str, Any]) -> None:
        if run.calls_started >= self.limits.tool_calls:
            refusal = {"type": "RuntimeError", "message": f"at most {self.limits.tool_calls} tool calls a step"}
            self.channel.send({"answer": message["call"], "error": refusal})
            return
        run.calls_started += 1
        task = asyncio.ensure_future(self._answer(run, message))
        run.tasks.add(task)
        task.add_done_callback(run.tasks.discard)

    async def _answer(self, run: Running, message: dict[str, Any]) -> None:
        run.calls_open += 1
        if run.calls_open == 1:
            self._disarm(run)
        try:
            result = await run.answers.answer(message, run.log)
        finally:
            run.calls_open -= 1
            if run.calls_open == 0 and not run.limit and not run.done.done():
                self._arm(run)
        self.channel.send({"answer": message["call"], **result})

    # Limits that need a look from outside.

    def _usage(self) -> usage.Usage:
        below = usage.descendants(self.pid, self.siblings())
        return usage.total([self.pid, *below], self.baseline_bytes)

    async def _watch(self, run: Running) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            used = self._usage()
            if used.cpu_s - self.cpu_before_s > self.limits.cpu_s:
                self._stop(run, Limit.CPU)
            elif used.resident_bytes > self.limits.memory_mb * 2**20:
                self._stop(run, Limit.MEMORY)
            elif used.tasks > self.limits.processes + 1:
                self._stop(run, Limit.PROCESSES)
                self.kill()
            elif self._too_many_files():
                self._stop(run, Limit.FILES)

    def _too_many_files(self) -> bool:
        if self.folder is None:
            return False
        size, entries = usage.of_folder(self.folder, self.limits.files + FILES_RESERVE)
        return size > self.limits.file_mb * 2**20 or entries > self.limits.files + FILES_RESERVE

    def _stop(self, run: Running, limit: Limit) -> None:
        """Ask the code to stop; kill it where it does not."""
        if run.limit or run.done.done():
            return
        run.limit = limit
        self._signal(INTERRUPT_SIGNAL)
        run.timer = asyncio.get_running_loop().call_later(GRACE_S, self.kill)

    def _outcome(self, run: Running, fields: dict[str, Any] | None) -> Outcome:
        duration = time.monotonic() - run.started
        if fields is None:
            return self._outcome_of_death(run, duration)
        limit = run.limit or _limit(fields.get("limit")) or (Limit.FILES if self._too_many_files() else None)
        error = _error(fields.get("error"))
        if limit and error and error.type in ("Interrupted", "OutputLimit", "ValueLimit"):
            error = CodeError("LimitExceeded", self._explain(limit), error.traceback)
        if run.log.system_error is not None:
            failure = run.log.system_error
            error = CodeError(type(failure).__name__, str(failure))
        elif error and error.type in SYSTEM_ERRORS:
            error = CodeError(f"{error.type} (raised by the code)", error.message, error.traceback)
        final = fields.get("final")
        return Outcome(
            stdout=cut(_text(fields.get("stdout")) or "", self.limits.output_chars + 200),
            value=_text(fields.get("value")),
            error=error,
            final_answer=_text(final),
            is_final=final is not None and error is None,
            limit=limit,
            duration_s=duration,
            num_tool_calls=len(run.log.calls),
            tools_s=run.log.seconds,
        )

    def _outcome_of_death(self, run: Running, duration: float) -> Outcome:
        limit = run.limit or Limit.CRASH
        message = self._explain(limit) + "; the variables of the session did not survive"
        return Outcome(
            stdout=cut(wire.clean("".join(run.chunks)), self.limits.output_chars),
            error=CodeError("LimitExceeded" if run.limit else "Crash", message),
            limit=limit,
            duration_s=duration,
            num_tool_calls=len(run.log.calls),
            tools_s=run.log.seconds,
            state_lost=True,
        )

    def _explain(self, limit: Limit) -> str:
        return "the code was ended: " + _LIMIT_TEXT[limit].format(**dataclasses.asdict(self.limits))


def _text(value: Any) -> str | None:
    return wire.clean(value) if isinstance(value, str) else None


def _limit(value: Any) -> Limit | None:
    try:
        return Limit(value) if value is not None else None
    except ValueError:
        return Limit.CRASH


def _error(value: Any) -> CodeError | None:
    if not isinstance(value, dict):
        return None
    kind, message, trace = (_text(value.get(key)) or "" for key in ("type", "message", "traceback"))
    return CodeError(kind, message, trace)

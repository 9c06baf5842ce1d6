"""A session as asyncio code sees it; satisfies `agentdistill.types.CodeSession`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from agentdistill.errors import SandboxError, SessionLostError
from agentdistill.sandbox.host import usage
from agentdistill.sandbox.host.limits import Limits, wire_bytes
from agentdistill.sandbox.host.process import Process
from agentdistill.sandbox.host.tools import Answers, Recorded
from agentdistill.sandbox.host.warm import Seat
from agentdistill.types import CodeError, Limit, Outcome

OPEN_S = 60.0  # deadline of a fork from the warm process
#: Before each further attempt to fork one: forks fail while a bomb in a neighbour's session lives.
OPEN_PAUSES_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
IDLE_CHECK_S = 1.0
SWEEPS = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """Committed code and what its tools answered: enough to make the session's state again."""

    code: str
    calls: tuple[dict[str, Any], ...]  # each: name, args, kwargs, and value or error


@dataclass(slots=True)
class _Fork:
    process: Process
    outcome: Outcome
    entry: Entry


class Host(Protocol):
    """What a session needs of its sandbox."""

    limits: Limits

    async def spawn(self, process: Process, tools: list[str]) -> Seat:
        """Fork a process whose pipe is that of `process`. Raises SandboxError, ProcessLookupError."""
        ...


class AsyncSession:
    """One interpreter state. Opens at its first use; one call at a time, others wait."""

    def __init__(self, sandbox: Host, tools: Mapping[str, Callable[..., Any]]) -> None:
        _check_tools(tools)
        self._sandbox, self._tools = sandbox, dict(tools)
        self._limits = sandbox.limits
        self._lock = asyncio.Lock()
        self._main: Process | None = None
        self._seat: Seat | None = None  # where _main is
        self._forks: list[_Fork] = []
        self._dropped: frozenset[int] = frozenset()  # pids of forks that were killed a moment ago
        self._burned = False  # the process was killed between two steps for what its threads did
        self._loss = ""  # why the variables of earlier steps are gone, until the next successful step
        self._closed = False
        self.journal: list[Entry] = []  # what was committed since the session was last empty

    async def open(self) -> Self:
        """Fork the session now instead of at its first use. Raises SandboxError."""
        async with self._lock:
            await self._ready()
        return self

    async def run(self, code: str) -> Outcome:
        """Run code in the session. Raises SandboxError, never for what the code did."""
        async with self._lock:
            self._drop_forks()
            refused = await self._refusal(code)
            if refused:
                return refused
            main = await self._ready()
            outcome, log = await main.execute(code, self._answers(share=False))
            if not await self._sweep([main]):
                outcome = _lost_to_processes(outcome)
            if outcome.state_lost:
                return await self._lose(outcome)
            self.journal.append(Entry(code, tuple(log.calls)))
            return self._with_hint(outcome)

    async def try_all(self, codes: list[str]) -> list[Outcome]:
        """Run each code in a fork of the session, all at once; the session is unchanged. Raises SandboxError."""
        async with self._lock:
            self._drop_forks()
            dead = await self._refusal("")
            if dead:
                return [dead for _ in codes]
            if not codes:
                return []
            main = await self._ready()
            processes = await self._fork(main, len(codes))
            pids = frozenset(process.pid for process in processes if process.channel.pid)
            main.siblings = lambda: pids
            answers = self._answers(share=True)
            self._forks = list(
                await asyncio.gather(*(self._try(*pair, answers) for pair in zip(processes, codes, strict=True)))
            )
            if not await self._sweep([main, *processes]):
                await self._lose(_lost_to_processes(Outcome(stdout="")))
            return [self._with_hint(fork.outcome) for fork in self._forks]

    async def commit(self, index: int) -> None:
        """Make fork `index` of the last try_all the session, without running it again.

        Raises IndexError where there is no such fork, SessionLostError where it did not survive its run.
        """
        async with self._lock:
            if not 0 <= index < len(self._forks):
                raise IndexError(f"commit({index}): the last try_all left {len(self._forks)} forks")
            chosen = self._forks.pop(index)
            if not chosen.process.alive or chosen.outcome.state_lost:
                self._forks.insert(index, chosen)
                raise SessionLostError(f"fork {index} did not survive: {chosen.outcome.error}")
            self._drop_forks()
            old, self._main = self._main, chosen.process
            if self._seat:
                self._seat.commit(chosen.process.pid)
            if old:
                old.close()
            self.journal.append(chosen.entry)

    async def replay(self, entries: Sequence[Entry]) -> None:
        """Make a state again: run committed code once more, its tool calls answered from the record.

        Raises SessionLostError where the code no longer gets through, or calls tools otherwise than it did.
        """
        async with self._lock:
            for number, entry in enumerate(entries, start=1):
                main = await self._ready()
                answers = Recorded(entry.calls)
                outcome, _ = await main.execute(entry.code, answers)
                await self._sweep([main])
                if outcome.state_lost or answers.missed:
                    await self._lose(outcome)
                    why = "it asked a tool for something else than before" if answers.missed else str(outcome.error)
                    raise SessionLostError(f"the session could not be rebuilt: step {number} of {len(entries)}: {why}")
                self.journal.append(entry)

    def fork_entries(self) -> list[Entry]:
        """What committing each fork of the last try_all would add to the journal."""
        return [fork.entry for fork in self._forks]

    async def close(self) -> None:
        """End the session: when this returns, none of its processes and files is left. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._main:
            self._main.kill()
        async with self._lock:
            await self._end()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ready(self) -> Process:
        """The process that holds the state, forked now if there is none."""
        if self._closed:
            raise SandboxError("the session is closed")
        if self._main is None:
            self._main, self._seat = await self._start()
            self._burned = False
            asyncio.get_running_loop().call_later(IDLE_CHECK_S, self._watch_idle)
        return self._main

    async def _start(self) -> tuple[Process, Seat]:
        """A process of this session's own, and its seat. Raises SandboxError."""
        why = ""
        for pause_s in OPEN_PAUSES_S:
            await asyncio.sleep(pause_s)
            process, seat = Process(self._limits), None
            try:
                seat = await self._sandbox.spawn(process, sorted(self._tools))
                async with asyncio.timeout(OPEN_S):
                    await process.ready
                seat.occupy(process.pid)
                return process, seat
            except ProcessLookupError as error:
                process.close()
                how = await seat.leave() if seat else ""
                why = f"its process ended {how}" if how else str(error)
            except BaseException as error:
                process.close()
                if seat:
                    await seat.leave()
                if isinstance(error, TimeoutError):
                    raise SandboxError(f"a session could not be opened within {OPEN_S:g} s") from None
                raise
        raise SandboxError(f"a session could not be opened in {len(OPEN_PAUSES_S)} attempts: {why}")

    async def _refusal(self, code: str) -> Outcome | None:
        """An outcome without a run: the program is too long, or the session died since the last call."""
        if len(code) > self._limits.code_chars:
            text = f"the program has {len(code):,} characters; at most {self._limits.code_chars:,} are run"
            return Outcome(stdout="", error=CodeError("LimitExceeded", text), limit=Limit.VALUE)
        if self._main is None or self._main.alive:
            return None
        limit = Limit.CPU if self._burned else Limit.CRASH
        why = "because its threads used the processor without end" if self._burned else ""
        text = f"the session's process ended between two steps {why}, so this code was not run; its variables are gone"
        error = CodeError("LimitExceeded" if self._burned else "Crash", text.replace(" ,", ","))
        outcome = Outcome(stdout="", error=error, limit=limit, state_lost=True)
        return await self._lose(outcome)

    async def _lose(self, outcome: Outcome) -> Outcome:
        """The state is gone: clear what is left; the outcome, with how the process ended where nobody ended it."""
        self.journal.clear()
        how = await self._end()
        error = outcome.error or CodeError("Crash", "the interpreter ended")
        if outcome.limit is Limit.CRASH and how:
            error = dataclasses.replace(error, message=f"{error.message} (it ended {how})")
        self._loss = error.message
        return dataclasses.replace(outcome, error=error)

    async def _end(self) -> str:
        self._drop_forks()
        main, seat = self._main, self._seat
        self._main = self._seat = None
        if main is None or seat is None:
            return ""
        main.close()
        return await seat.leave()

    async def _sweep(self, roots: list[Process]) -> bool:
        """End what the code started and left running. False where it multiplies too fast: then the session ends.

        Processes end with the run that started them; only the interpreter's own state lives on.
        """
        own = self._dropped.union(process.pid for process in roots)
        for attempt in range(SWEEPS):
            strays: list[int] = []
            for process in roots:
                if process.alive:
                    strays += [pid for pid in usage.descendants(process.pid, own) if usage.of_process(pid).tasks]
            if not strays:
                return True
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.001 * attempt)
        return False

    def _watch_idle(self) -> None:
        """Between steps nothing should run: a session whose threads burn on without end is killed."""
        main = self._main
        if main is None or not main.alive or self._closed:
            return
        if not self._lock.locked() and usage.cpu_s(main.pid) - main.cpu_before_s > 2 * self._limits.cpu_s:
            self._burned = True
            main.kill()
        asyncio.get_running_loop().call_later(IDLE_CHECK_S, self._watch_idle)

    async def _fork(self, main: Process, count: int) -> list[Process]:
        processes = [Process(self._limits) for _ in range(count)]
        for process in processes:
            process.folder = main.folder

        def failed(message: dict[str, Any]) -> None:
            if message["op"] == "fork_failed":
                processes[int(message["index"])].close()

        main.on_message = failed
        main.channel.allowance = wire_bytes(self._limits)
        main.channel.send({"op": "fork", "count": count}, [process.channel.peer.fileno() for process in processes])
        for process in processes:
            process.channel.peer.close()
        opened: asyncio.Future[Any] = asyncio.gather(*(process.ready for process in processes), return_exceptions=True)
        await asyncio.wait((opened, main.ended), timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED)
        for process in processes:
            if not process.ready.done():
                process.close()
        return processes

    async def _try(self, process: Process, code: str, answers: Answers) -> _Fork:
        refused = await self._refusal(code) if len(code) > self._limits.code_chars else None
        if refused:
            return _Fork(process, refused, Entry(code, ()))
        if not process.alive:
            crashed = self._main is None or not self._main.alive
            why = "its process ended" if crashed else "it has reached its limit of processes or memory"
            error = CodeError("Crash" if crashed else "LimitExceeded", f"the session could not be forked: {why}")
            limit = Limit.CRASH if crashed else Limit.PROCESSES
            failed = Outcome(stdout="", error=error, limit=limit, state_lost=True)
            return _Fork(process, failed, Entry(code, ()))
        outcome, log = await process.execute(code, answers)
        return _Fork(process, outcome, Entry(code, tuple(log.calls)))

    def _drop_forks(self) -> None:
        self._dropped = frozenset(fork.process.pid for fork in self._forks)
        for fork in self._forks:
            fork.process.close()
        self._forks = []

    def _answers(self, *, share: bool) -> Answers:
        return Answers(self._tools, self._limits.tool_s, share=share)

    def _with_hint(self, outcome: Outcome) -> Outcome:
        """Where a name is missing because the session was lost, the error says so."""
        if self._loss and outcome.error and outcome.error.type == "NameError":
            text = f"{outcome.error.message} (the variables of earlier steps are gone: {self._loss})"
            return dataclasses.replace(outcome, error=dataclasses.replace(outcome.error, message=text))
        return outcome


def _lost_to_processes(outcome: Outcome) -> Outcome:
    text = "the code left processes that could not be ended one by one; the variables of the session did not survive"
    error = CodeError("LimitExceeded", text)
    return dataclasses.replace(outcome, limit=Limit.PROCESSES, error=error, state_lost=True)


def _check_tools(tools: Mapping[str, Callable[..., Any]]) -> None:
    for name, tool in tools.items():
        if not name.isidentifier() or name == "final_answer":
            raise ValueError(
                f"a tool named {name!r}: expected an identifier other than final_answer, which is built in"
            )
        if not callable(tool):
            raise TypeError(f"the tool {name!r} is a {type(tool).__name__}; expected a function")

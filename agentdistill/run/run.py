"""The facade: one verb a phase. A verb takes handles, does what is not done yet, and returns a handle."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from agentdistill import plugins
from agentdistill.config import RunConfig
from agentdistill.config.settings import check_bounds
from agentdistill.console import console, format_duration
from agentdistill.errors import ConfigError
from agentdistill.run.folder import RunFolder
from agentdistill.run.handles import (
    Handle,
    Index,
    Page,
    Questions,
    Scores,
    Student,
    TrainingSet,
    Trajectories,
)
from agentdistill.run.kinds import OWN_SECTION, PHASES, WHOLE_SECTIONS, check_inputs, full_name, output_of
from agentdistill.run.own import own_call
from agentdistill.run.phases.base import Call, OwnPhase, Phase
from agentdistill.run.phases.evaluate import trained_cell
from agentdistill.run.record import records
from agentdistill.run.record.binding import sections_of
from agentdistill.run.record.state import State

H = TypeVar("H", bound=Handle)


class Run:
    """A run that somebody works on: its config, its folder, and the verbs.

    A verb whose phase is finished says so and does nothing. Raises RunFolderError where the phase was begun with other
    settings or from other inputs, ConfigError where one name is given to two phases. With `planning` a verb notes what
    would be done in `calls` and returns the handle of it; what a handle tells of itself is then what is there already.
    `phases` are what the verbs perform, by kind.
    """

    def __init__(
        self, config: RunConfig, *, planning: bool = False, phases: Mapping[str, Phase] = MappingProxyType(PHASES)
    ) -> None:
        self.config = config
        self._phases = phases
        self.folder = RunFolder(config.folder)
        self.planning = planning
        self.calls: list[Call] = []
        self.bound: dict[str, dict[str, Any]] = {}  # what binds this folder beside the phases' own settings
        self._state = State(self.folder.state)
        self._is_prepared = False

    def questions(self, *, name: str = "", **settings: Any) -> Questions:
        """questions/: what there is to learn from, and what is held out. `settings` are those of `questions`."""
        return self._do("questions", name, {}, settings, Questions)

    def index(self, *, name: str = "", **settings: Any) -> Index:
        """index/: what search() finds; nothing where the retriever is off. `settings` are those of `retriever`."""
        return self._do("index", name, {}, settings, Index)

    def rollout(
        self, questions: Questions | None = None, *, index: Index | None = None, name: str = "", **settings: Any
    ) -> Trajectories:
        """trajectories/: the teacher acts. `settings` are those of `rollout`, or `teacher=` as a whole."""
        asked = questions or self.made("questions", Questions).train
        return self._do("rollout", name, {"questions": asked, **self._searched(index)}, settings, Trajectories)

    def score(self, trajectories: Trajectories | None = None, *, name: str = "", **settings: Any) -> Trajectories:
        """The same trajectories with the grades that a judge gives later. `settings` are those of `grading`."""
        graded = trajectories or self.made("rollout", Trajectories)
        return self._do("score", name, {"trajectories": graded}, settings, Trajectories)

    def select(self, trajectories: Trajectories | None = None, *, name: str = "", **settings: Any) -> TrainingSet:
        """training_set/: what is fit to learn from. `settings` are those of `select`."""
        chosen = trajectories or self.made("rollout", Trajectories)
        return self._do("select", name, {"trajectories": chosen}, settings, TrainingSet)

    def train(self, examples: TrainingSet | None = None, *, name: str = "", **settings: Any) -> Student:
        """adapter/ or student/: the student learns. `settings` are those of `train`."""
        learned = examples or self.made("select", TrainingSet)
        return self._do("train", name, {"examples": learned}, settings, Student)

    def student(self, name: str = "") -> Student | None:
        """What training left for the evaluation; None where no cell asks for it.

        Raises ConfigError where one does and there is none.
        """
        if trained_cell(self.config) is None:
            return None
        found = self.made("train", Student, name)
        if not self.planning and not found.is_done:
            handles = {"questions": self.made("questions", Questions).test, "student": found}
            self._phases["evaluate"].check(self._call("evaluate", "", handles, {}), ())
        return found

    def evaluate(
        self,
        questions: Questions | None = None,
        student: Student | None = None,
        *,
        index: Index | None = None,
        name: str = "",
        **settings: Any,
    ) -> Scores:
        """scores/: the grid on the held-out questions. `settings` are those of `evaluate`."""
        asked = questions or self.made("questions", Questions).test
        inputs: dict[str, Handle] = {"questions": asked, **self._searched(index)}
        if student is not None or trained_cell(self._overridden("evaluate", settings)) is not None:
            inputs["student"] = student or self.made("train", Student)
        return self._do("evaluate", name, inputs, settings, Scores)

    def report(self, *, name: str = "", **settings: Any) -> Page:
        """report/: the page that shows the run. `settings` are those of `report`."""
        scores: dict[str, Handle] = {call.name: call.output for call in self.calls if call.phase.kind == "evaluate"}
        if not scores and (before := self.made("evaluate", Scores)).is_done:
            scores = {before.name: before}
        return self._do("report", name, scores, settings, Page)

    def do(self, phase: OwnPhase | str) -> Handle:
        """A phase of one's own, or the name of one (plugin kind `phase`): recorded, skipped, refused like the others.

        Raises ConfigError where it is not what a phase has to be.
        """
        found = plugins.load("phase", phase) if isinstance(phase, str) else plugins.check("phase", phase)
        return self._perform(own_call(found, self, self.config, self.folder))

    def made(self, kind: str, handle: type[H], name: str = "") -> H:
        """The handle of what the phase of that kind and name makes, whether it is done or not."""
        called = next((call for call in self.calls if call.name == full_name(kind, name)), None)
        found = output_of(kind, full_name(kind, name), self.config, self.folder) if called is None else called.output
        assert isinstance(found, handle)
        return found

    def bind(self, name: str, settings: dict[str, Any]) -> None:
        """Note settings that bind this folder beside its phases, as a recipe's do: section -> dataclass or plain value.

        Raises RunFolderError where others were noted under the name.
        """
        self.bound[name] = settings
        if not self.planning:
            records.check_bound(self._state, name, settings)
            records.note_bound(self._state, name, settings)

    def check(self, planned: Run) -> None:
        """Raise, before anything is changed, where what was planned cannot be done in this folder."""
        for name, settings in planned.bound.items():
            records.check_bound(self._state, name, settings)
        for number, call in enumerate(planned.calls):
            records.check(self._state, call, self.config, planned.calls)
            if records.is_to_do(self._state, call):
                self._check_inputs(call, planned.calls[:number])

    def prepare(self) -> None:
        """Save the config as that of the last start. Raises RunFolderError where the folder cannot be written."""
        if not self._is_prepared:
            self.folder.prepare(self.config)
            self._is_prepared = True

    def _searched(self, index: Index | None) -> dict[str, Handle]:
        if not self.config.retriever.enabled:
            return {}
        return {"index": index or self.made("index", Index)}

    def _do(self, kind: str, name: str, inputs: Mapping[str, Handle], settings: dict[str, Any], handle: type[H]) -> H:
        made = self._perform(self._call(kind, name, inputs, settings))
        assert isinstance(made, handle)
        return made

    def _call(self, kind: str, name: str, inputs: Mapping[str, Handle], settings: dict[str, Any]) -> Call:
        phase, config, full = self._phases[kind], self._overridden(kind, settings), full_name(kind, name)
        check_inputs(kind, inputs)
        return Call(
            phase=phase,
            name=full,
            config=config,
            folder=self.folder,
            inputs=inputs,
            output=output_of(kind, full, config, self.folder, inputs),
            settings=sections_of(config, phase.sections),
            overrides=tuple(
                key if key in WHOLE_SECTIONS.get(kind, ()) else f"{OWN_SECTION.get(kind, kind)}.{key}"
                for key in settings
            ),
        )

    def _overridden(self, kind: str, settings: dict[str, Any]) -> RunConfig:
        """The config with the call's own settings: those of the phase's section, or one of its sections as a whole."""
        if not settings:
            return self.config
        section = OWN_SECTION.get(kind, kind)
        whole = {key: value for key, value in settings.items() if key in WHOLE_SECTIONS.get(kind, ())}
        fields = {key: value for key, value in settings.items() if key not in whole}
        before = getattr(self.config, section)
        known = [item.name for item in dataclasses.fields(before)]
        if unknown := next((key for key in fields if key not in known), None):
            raise ConfigError(f"run.{kind}: unknown setting {unknown}, expected one of {', '.join(known)}")
        changed = dataclasses.replace(self.config, **{section: dataclasses.replace(before, **fields)}, **whole)
        for key, value, expected in check_bounds(changed):
            raise ConfigError(f"run.{kind}: {key} is {value}, expected {expected}")
        return changed

    def _perform(self, call: Call) -> Handle:
        known = next((other for other in self.calls if other.name == call.name), None)
        if known is not None:
            records.check_same(known, call)
            return known.output
        self.calls.append(call)
        if self.planning:
            return call.output
        records.check(self._state, call, self.config, self.calls)
        self.prepare()
        title = f"[bold]{call.phase.title}[/bold]{f' {call.suffix}' if call.suffix else ''}"
        if not records.is_to_do(self._state, call):
            console.print(f"{title}: done before ({call.phase.brief(records.summary(self._state, call))})")
            return call.output
        self._check_inputs(call, ())
        console.print(title)
        began = time.monotonic()
        records.begin(self._state, call)
        summary = call.phase.do(call)
        records.finish(self._state, call, summary)
        console.print(f"  {call.phase.brief(summary)}, {format_duration(time.monotonic() - began)}")
        return call.output

    def _check_inputs(self, call: Call, before: Sequence[Call]) -> None:
        """Raise where the phase could not be done: an input is not done, and no phase before it will do it."""
        coming = {other.name for other in before}
        call.phase.check(call, coming)
        for handle in call.inputs.values():
            if handle.name not in coming:
                handle.require()

"""Records of version 1: one settings tree for a phase and all that it was made from, and no names of inputs."""

from __future__ import annotations

from typing import Any

#: In place of the mark that version 1 did not have; equal in all records of one folder, so that none looks remade.
MADE_BY = "v1"

_INPUTS = {
    "rollout": {"questions": "questions.train", "index": "index"},
    "select": {"trajectories": "rollout"},
    "train": {"examples": "select"},
    "evaluate": {"questions": "questions.test", "index": "index", "student": "train"},
    "report": {"evaluate": "evaluate"},
}

#: Prompts without search had names of their own; now a prompt describes the tools that there are.
_PROMPTS = {"teacher_code": "teacher", "student_code": "student"}


def converted(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """The fields of today's record. The settings still hold the inputs' sections: only a phase's own are compared."""
    inputs = _INPUTS.get(name, {})
    return {
        "kind": name,
        "inputs": inputs,
        "settings": _with_prompts(content["settings"]),
        "summary": content["summary"],
        "finished_at": content["finished_at"],
        "made_by": MADE_BY,
        "made_of": dict.fromkeys(inputs, MADE_BY),
    }


def _with_prompts(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_prompts(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _PROMPTS.get(item, item) if key == "prompt" and isinstance(item, str) else _with_prompts(item)
        for key, item in value.items()
    }

"""The figures of a cell as the run folder keeps them."""

from __future__ import annotations

from typing import Any

from agentdistill.evaluate.statistics import Estimate
from agentdistill.evaluate.summary import CellSummary


def cell_to_json(cell: CellSummary) -> dict[str, Any]:
    """The figures of a cell that the run folder keeps; shares in [0, 1], means per episode (or per vote)."""
    accuracy, seeds, judge = cell.accuracy, cell.seeds, cell.judge
    return {
        **_estimate(accuracy),
        "percent": f"{100 * accuracy.value:.1f}%" if accuracy else "not graded",
        "by_task": {task: {**_estimate(item), "num_questions": item.n} for task, item in cell.by_task.items()},
        "average": _estimate(cell.average),
        "seeds": seeds and {"mean": seeds.mean, "sd": seeds.sd, "low": seeds.low, "high": seeds.high, "n": seeds.n},
        "num_questions": cell.num_questions,
        "num_episodes": cell.num_episodes,
        "num_correct": cell.num_correct,
        "num_failed": cell.num_failed,
        "num_lost": cell.num_lost,
        "num_ungraded": cell.num_ungraded,
        "voters": cell.voters,
        "steps": cell.steps,
        "prompt_tokens": cell.prompt_tokens,
        "completion_tokens": cell.completion_tokens,
        "tool_calls": cell.tool_calls,
        "invalid_action_share": cell.invalid_action_share,
        "execution_error_share": cell.execution_error_share,
        "stop_reasons": {str(reason): count for reason, count in cell.stop_reasons.items()},
        "seconds_per_correct": cell.seconds_per_correct,
        "tokens_per_correct": cell.tokens_per_correct,
        "judge": judge
        and {
            "judged": judge.judged,
            "agreement": judge.agreement,
            "only_judge": judge.only_judge,
            "only_exact_match": judge.only_exact_match,
        },
    }


def _estimate(found: Estimate | None) -> dict[str, float | None]:
    names = {"accuracy": "value", "low": "low", "high": "high"}
    return {name: getattr(found, field) if found else None for name, field in names.items()}

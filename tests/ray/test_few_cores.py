"""The README's own example, as it stands, where Ray counts two processors, and one: it runs and does not wait."""

import json
import re
from pathlib import Path

import pytest
from chat_endpoint import chat_endpoint

from agentdistill import storage
from agentdistill.cli import main
from agentdistill.schema import TRAJECTORIES, trajectories_from_table

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

README = Path(__file__).parents[2] / "README.md"


def example() -> str:
    """my.yaml as the README prints it."""
    found = re.search(r"```yaml\n(# my\.yaml\n.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def reply(messages: list[dict[str, str]], seed: int) -> str:
    """A teacher that searches once and answers with what it found; its chain of thought is one paragraph."""
    if "final_answer" not in messages[0]["content"]:
        return "I look it up."
    observed = [message for message in messages if message["role"] == "user"][1:]
    code = "final_answer(found.split('in ')[1].split('.')[0])" if observed else "found = search('Rhea')\nprint(found)"
    return f"\nCode:\n```py\n{code}\n```<end_code>"


@pytest.mark.parametrize("cpus", [2, 1])
def test_the_readmes_example_runs_on_few_cores(cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my").mkdir()
    questions = [{"id": str(n), "question": f"Where is Rhea ({n})?", "answer": "Orbit"} for n in range(3)]
    (tmp_path / "my" / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in questions[:2]))
    (tmp_path / "my" / "test.jsonl").write_text(json.dumps({"question": "What is Titan?", "answer": "A moon"}) + "\n")
    passage = {"id": "1", "title": "Rhea", "text": "Rhea is in Orbit."}
    (tmp_path / "my" / "passages.jsonl").write_text(json.dumps(passage) + "\n")
    (tmp_path / "my.yaml").write_text(example())

    with chat_endpoint(reply) as teacher:
        overrides = [f"teacher.engine.base_url={teacher.url}", "cluster.address=local", f"cluster.num_cpus={cpus}"]
        main(["rollout", "--config", str(tmp_path / "my.yaml"), *overrides])

    rows = trajectories_from_table(storage.read_folder("runs/mine/trajectories", TRAJECTORIES))
    assert len(rows) == 8  # two questions, four samples
    assert (tmp_path / "runs" / "mine" / "training_set" / "examples.parquet").exists()
    assert {(row.answer, row.grade.correct if row.grade else None) for row in rows} == {("Orbit", True)}

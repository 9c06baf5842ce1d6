"""A rollout whose folder lies on a disk of one mebibyte that is nearly full, then no longer.

Run within user and mount namespaces of its own, where anybody may mount: rollout_full_disk.py FOLDER. Prints JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

import ray
from rollout_parts import cluster_settings, questions, spec_for, stored

from agentdistill.errors import RunFolderError
from agentdistill.rollout import run_rollout, take_inventory

QUESTIONS = 20


def fill(ballast: Path, leave: int) -> None:
    """Write until the disk is full, then give back so many bytes."""
    size = 0
    try:
        with ballast.open("wb", buffering=0) as out:
            while True:
                size += out.write(b"x" * 4096)
    except OSError:
        with ballast.open("r+b") as out:
            out.truncate(size - leave)


def main(folder: Path) -> None:
    marks, disk = folder / "marks", folder / "disk"
    for path in (marks, disk):
        path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    fill(disk / "ballast", 65_536)
    ray.init(**{**cluster_settings(marks), "num_cpus": 2})
    spec = spec_for(disk / "trajectories", "right", in_flight=1, flush_s=0.01)
    result: dict[str, object] = {"error": ""}
    try:
        run_rollout(questions(QUESTIONS), spec)
    except RunFolderError as error:
        result["error"] = str(error)
    written = take_inventory(spec.folder).finished
    result["left"] = [path.name for path in Path(spec.folder).iterdir() if not path.name.endswith(".parquet")]
    (disk / "ballast").unlink()
    summary = run_rollout(questions(QUESTIONS), spec)
    rows = stored(spec.folder)
    result |= {
        "written": len(written),
        "reused": summary.reused,
        "finished": summary.finished,
        "failed": summary.failed,
        "rows": len(rows),
        "keys": len({row.key for row in rows}),
    }
    ray.shutdown()
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

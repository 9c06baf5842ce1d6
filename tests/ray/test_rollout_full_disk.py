"""A disk that fills up while trajectories are written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).parents[1] / "helpers" / "rollout_full_disk.py"
IN_NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount"]


def test_a_full_disk_stops_the_run_and_the_same_command_goes_on_when_there_is_room(tmp_path: Path) -> None:
    mounts = subprocess.run([*IN_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True)
    if mounts.returncode:
        pytest.skip("user namespaces are not allowed here")
    ended = subprocess.run([*IN_NAMESPACES, sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-2_000:] + ended.stderr[-4_000:]
    result = json.loads(ended.stdout.splitlines()[-1])
    assert "cannot write: no space left on the device" in result["error"]
    assert result["left"] == []
    assert 0 < result["written"] < 20
    assert result["reused"] == result["written"]
    assert (result["finished"], result["failed"], result["rows"], result["keys"]) == (20, 0, 20, 20)

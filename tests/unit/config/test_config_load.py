"""Config files and overrides: what is right loads, what is wrong is said in one sentence."""

from pathlib import Path

import pytest

from agentdistill.config import load, to_yaml
from agentdistill.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
GROUPS = sorted(path for path in CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_file_loads(path: Path) -> None:
    assert load(path).name


def test_a_resolved_config_reads_back_to_the_same(tmp_path: Path) -> None:
    config = load(CONFIGS / "demo.yaml", ["train.learning_rate=0.5"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load(tmp_path / "config.yaml") == config


def test_a_stored_config_holds_no_credentials_and_reads_back(tmp_path: Path) -> None:
    secret = "teacher.engine={engine: openai, base_url: 'https://user:pass@host/v1?api-key=k1&v=2'}"
    config = load(CONFIGS / "demo.yaml", [secret, "retriever.folder=s3://KEY:SECRET@bucket/index"])
    text = to_yaml(config)
    assert not [word for word in ("user", "pass@", "k1", "KEY", "SECRET") if f"{word}@" in text or f":{word}" in text]
    (tmp_path / "config.yaml").write_text(text)
    read = load(tmp_path / "config.yaml")
    assert read.teacher.engine.base_url == "https://***@host/v1?api-key=***&v=2"
    assert read.retriever.folder == "s3://***@bucket/index"
    assert config.teacher.engine.base_url == "https://user:pass@host/v1?api-key=k1&v=2"


def test_the_file_wins_over_its_defaults_and_an_override_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\nseed: 1\n")
    (tmp_path / "top.yaml").write_text("defaults: [base]\nname: top\n")
    assert load(tmp_path / "top.yaml").name == "top"
    assert load(tmp_path / "top.yaml").seed == 1
    assert load(tmp_path / "top.yaml", ["seed=2"]).seed == 2


def test_an_override_may_change_one_entry_of_a_list() -> None:
    config = load(None, ["evaluate.cells[0].name=first"])
    assert [cell.name for cell in config.evaluate.cells] == ["first", "after"]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.lr=3", ["train.lr", "unknown key", "docs/configuration.md"]),
        ("train.learning_rate=fast", ["train.learning_rate", "fast", "Float"]),
        ("train.learning_rate=-1", ["train.learning_rate", "-1", "more than 0"]),
        ("teacher.engine.engine=magic", ["teacher.engine.engine", "magic", "vllm, openai, scripted"]),
        ("train.zero_stage=4", ["train.zero_stage", "4", "at most 3"]),
        ("retriever.deadline_s=60", ["sandbox.limits.tool_s", "60", "at least 61", "retriever.deadline_s"]),
        ("select.trim_repeated=true", ["select.trim_repeated", "drop_repeated: false"]),
        ("rollout=3", ["rollout", "3"]),
        ("novalue", ["novalue", "key=value"]),
        ("folder=${nowhere}", ["folder", "nowhere"]),
        ("evaluate.cells[7].name=x", ["evaluate.cells[7].name"]),
    ],
)
def test_a_wrong_override_names_key_value_and_what_was_expected(override: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        load(None, [override])
    for part in parts:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("train:\n  epochs: [1]\n", ["train.epochs"]),
        ("train:\n  epoch: 1\n", ["unknown key train.epoch", "did you mean train.epochs"]),
        ("train: {a: [\n", ["line", "not valid YAML"]),
        ("- just\n- a list\n", ["list", "key: value"]),
        ("defaults: [nowhere]\n", ["nowhere", "no nowhere.yaml"]),
        ("defaults: 3\n", ["defaults is 3"]),
        ("rollout: {actors: 3, max_actors: 2}\n", ["rollout.max_actors is 2", "at least actors (3)"]),
        ("teacher: {engine: {engine: openai}}\n", ["teacher.engine.base_url", "URL"]),
        ("teacher: {mode: cot, agent: {first_thought_prefix: true}}\n", ["first_thought_prefix", "mode=cot"]),
        ("teacher: {mode: cot_rag, agent: {sag: {n: 4}}}\n", ["teacher.agent.sag.n is 4", "1 with mode=cot_rag"]),
        (
            "evaluate: {cells: [{name: x, mode: cot, agent: {prompt: student, sag: {n: 4}}}]}\n",
            ["evaluate.cells[0].agent.sag.n is 4", "1 with mode=cot"],
        ),
        (
            "retriever: {enabled: false}\nevaluate: {cells: [{name: a, mode: cot_rag}]}\n",
            ["evaluate.cells[0].mode is cot_rag", "cot or agent"],
        ),
        ("teacher: {agent: {prompt: teacher_code}}\n", ["teacher.agent.prompt is teacher_code", "expected teacher,"]),
        ("select: {prompt: student_code}\n", ["select.prompt is student_code", "expected student,"]),
        ("select: {prompt: teacher}\n", ["evaluate.agent.prompt is student", "expected teacher"]),
        ("teacher: {agent: {prompt: teachr}}\n", ["teacher.agent.prompt is teachr", "did you mean teacher"]),
        ("teacher: {agent: {prompt: nowhere.md}}\n", ["teacher.agent.prompt is nowhere.md", "a file that exists"]),
        (
            "teacher: {agent: {protocol: thought_cod}}\n",
            ["teacher.agent.protocol is thought_cod", "a known protocol", "did you mean thought_code"],
        ),
        ("evaluate: {agent: {environment: pyton}}\n", ["evaluate.agent.environment is pyton", "did you mean python"]),
        ("teacher: {agent: {program: debate}}\n", ["teacher.agent.program is debate", "package.module:name"]),
        (
            "teacher: {agent: {protocol: 'my:protocol', prompt: null, first_thought_prefix: true}}\n",
            ["teacher.agent.first_thought_prefix is True", "only thought_code has one"],
        ),
        ("teacher: {agent: {protocol: 'my:protocol'}}\n", ["teacher.agent.prompt is teacher", "my:protocol"]),
        (
            "teacher: {agent: {protocol: 'my:protocol', prompt: null}}\n",
            ["select.prompt is student", "a prompt that explains the protocol my:protocol, or null for its own"],
        ),
        (
            "evaluate: {cells: [{name: a, trained: true, agent: {prompt: teacher}}]}\n",
            ["evaluate.cells[0].agent.prompt is teacher", "expected student"],
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_was_expected(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    for part in [str(path), *parts]:
        assert part in str(raised.value)


def test_a_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("name: x\n")
    with pytest.raises(ConfigError, match=r"demoo\.yaml: no such config file; did you mean .*demo\.yaml"):
        load(tmp_path / "demoo.yaml")


def test_defaults_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("defaults: [b]\n")
    (tmp_path / "b.yaml").write_text("defaults: [a]\n")
    with pytest.raises(ConfigError, match="circle"):
        load(tmp_path / "a.yaml")

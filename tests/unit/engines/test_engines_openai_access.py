"""The key: asked for before the run, sent to the configured host alone, and shown nowhere."""

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Raw, completion, raw_endpoint

from agentdistill.cli import main
from agentdistill.config import EngineConfig, RunConfig, load
from agentdistill.engines import open_engine
from agentdistill.engines.openai import read_access
from agentdistill.errors import ConfigError, EngineError, PromptTooLongError
from agentdistill.run.access import check_students, check_teacher
from agentdistill.types import Message, Request, Role, Sampling

KEY = "sk-verysecret/123+x"
FAR, NEAR = "https://api.example.com/v1", "http://localhost:8000/v1"
ONCE = Request((Message(Role.USER, "What is 1 + 1?"),), Sampling())


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "MY_KEY", "AGENTDISTILL_SERVE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def engine(base_url: str = FAR, **settings: Any) -> EngineConfig:
    return EngineConfig(engine="openai", model="m", base_url=base_url, **{"retries": 0, "patience_s": 0.0} | settings)


@pytest.mark.parametrize("value", [None, "", "  \n"])
@pytest.mark.parametrize("url", [FAR, "http://10.0.0.7:8000/v1", "https://localhost.example.com/v1"])
async def test_an_endpoint_elsewhere_without_its_key_is_refused(
    url: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    expected = rf"base_url is {url}, .* variable MY_KEY is not set, expected an API key there, or .*api_key_env=null"
    with pytest.raises(ConfigError, match=expected):
        await open_engine(engine(url, api_key_env="MY_KEY"))


@pytest.mark.parametrize("name", [None, ""])
@pytest.mark.parametrize("url", [FAR, "http://10.0.0.7:8000/v1"])
def test_an_endpoint_that_asks_for_no_key_is_said_to(url: str, name: str | None) -> None:
    access = read_access(engine(url, api_key_env=name))
    assert (access.authorization, access.base_url) == (None, url)


@pytest.mark.parametrize("url", [NEAR, "http://127.0.0.1:1/v1", "http://[::1]:8000/v1"])
def test_on_this_machine_a_key_is_not_needed_and_may_go_over_plain_http(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_access(engine(url)).authorization is None
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert read_access(engine(url)).authorization == f"Bearer {KEY}"


@pytest.mark.parametrize("url", ["http://api.example.com/v1", "http://10.0.0.7/v1", "HTTP://HOST/v1"])
def test_a_key_does_not_cross_the_network_unencrypted_unless_allowed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigError, match=r"can read the key, expected https://, or .*allow_plain_http=true"):
        read_access(engine(url))
    assert read_access(engine(url, allow_plain_http=True)).authorization == f"Bearer {KEY}"
    assert read_access(engine(url.replace("http", "https").replace("HTTP", "https"))).authorization
    assert read_access(engine(url, api_key_env=None)).authorization is None


@pytest.mark.parametrize("url", ["http://user:pass@host/v1", "http://host/v1?api-key=abcd"])
def test_credentials_in_the_url_do_not_either(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\*\*\*.* can read the key") as caught:
        read_access(engine(url, api_key_env=None))
    assert "pass" not in str(caught.value)
    assert "abcd" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost:8000/v1", "expected an http:// or https:// URL"),
        ("ftp://host/v1", "expected an http:// or https:// URL"),
        ("https://", "expected an http:// or https:// URL"),
        ("https://host:port/v1", "expected an http:// or https:// URL"),
        ("https://[::1/v1", "expected an http:// or https:// URL"),
        ("https://***@host/v1", "a stored copy without its credentials, expected the URL itself"),
        ("https://host/v1?key=***", "a stored copy without its credentials, expected the URL itself"),
    ],
)
def test_a_url_that_cannot_be_used_is_named(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        read_access(engine(url))


@pytest.mark.parametrize("value", ["sk-ä", "sk-1\nsk-2", "sk-\x01"])
def test_a_key_that_no_header_takes_is_refused_and_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY, which holds characters that no HTTP header takes") as caught:
        read_access(engine())
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("check", "overrides", "where"),
    [
        (check_teacher, ["teacher.engine={engine: openai, base_url: URL}"], "teacher.engine.base_url"),
        (check_students, ["evaluate.engine={engine: openai, base_url: URL}"], "evaluate.engine.base_url"),
        (
            check_students,
            ["evaluate.cells=[{name: a, engine: {engine: openai, base_url: URL}}]"],
            "evaluate.cells[0].engine.base_url",
        ),
        (
            check_students,
            ["grading.judge={engine: {engine: openai, base_url: URL}}"],
            "grading.judge.engine.base_url",
        ),
        (check_teacher, ["cluster.serve_port=8000", "cluster.serve_host=0.0.0.0"], "cluster.serve_host is 0.0.0.0"),
    ],
)
def test_what_a_run_lacks_is_said_before_it_starts(
    check: Callable[[RunConfig], None], overrides: list[str], where: str
) -> None:
    config = load(None, [override.replace("URL", f"'{FAR}'") for override in overrides])
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert where in str(caught.value)


def test_a_run_that_lacks_a_key_has_begun_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [f"folder={tmp_path}/run", f"teacher.engine={{engine: openai, base_url: '{FAR}'}}"]
    with pytest.raises(SystemExit) as ended:
        main(["rollout", *overrides])
    assert ended.value.code == 2
    assert "teacher.engine.base_url" in capsys.readouterr().err
    assert not (tmp_path / "run" / "state").exists()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with raw_endpoint([Raw(completion(["two"]))]) as other:
        with raw_endpoint([Raw("", status, {"Location": f"{other.url}/chat/completions?key={KEY}"})]) as first:
            with pytest.raises(EngineError, match=r"it redirects to http://127.*expected base_url to be the final URL"):
                await (await open_engine(engine(first.url)))(ONCE)
    assert (len(first.requests), other.headers) == (1, [])


async def test_what_is_on_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with raw_endpoint([Raw(completion(["two"]))]) as endpoint, raw_endpoint([Raw(completion(["stolen"]))]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        (found,) = await (await open_engine(engine(endpoint.url)))(ONCE)
    assert (found.text, proxy.headers) == ("two", [])


async def test_user_password_and_query_of_the_url_are_sent_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with raw_endpoint([Raw(completion(["two"])), Raw({"error": "no, user:p@ss, abcdef"}, 400)]) as endpoint:
        url = endpoint.url.replace("://", "://user:p%40ss@") + "?api-key=abcdef&v=2"
        opened = await open_engine(engine(url))
        await opened(ONCE)
        with pytest.raises(EngineError) as caught:
            await opened(ONCE)
    basic = base64.b64encode(b"user:p@ss").decode()
    assert endpoint.headers[0]["authorization"] == f"Basic {basic}"
    assert endpoint.paths[0] == "/v1/chat/completions?api-key=abcdef&v=2"
    shown = caplog.text + str(caught.value) + repr(read_access(engine(url)))
    assert not [secret for secret in ("p@ss", "p%40ss", "abcdef", basic) if secret in shown]


@pytest.mark.parametrize("status", [200, 400, 401, 413, 429, 500, 503, 302])
@pytest.mark.parametrize(
    "says",
    [
        {"error": {"message": f"Incorrect API key provided: {KEY}. You sent Bearer {KEY}", "code": KEY}},
        {"detail": [{"loc": ["header", KEY], "msg": KEY}]},
        {"error": f"prompt is too long, {KEY}"},
        {KEY: [KEY]},
        [KEY],
        "x" * 490 + KEY,  # where a text that is too long is cut
        f"<html>{KEY.replace('/', '%2F').replace('+', '%2B')}</html>",
    ],
    ids=range(7),
)
async def test_no_error_text_shows_the_key(
    says: Any, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with raw_endpoint(
        [Raw(says, status, {"Location": f"http://127.0.0.1:1/{KEY}", "Retry-After-Ms": "1"})]
    ) as endpoint:
        with pytest.raises((EngineError, PromptTooLongError)) as caught:
            await (await open_engine(engine(endpoint.url)))(ONCE)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert not [part for part in (KEY, "sk-very", "verysecret") if part in shown]

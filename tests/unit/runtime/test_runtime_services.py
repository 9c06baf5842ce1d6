"""HTTP listens on this machine alone unless told otherwise, and then there must be a token."""

import pytest

from agentdistill.config import ClusterConfig
from agentdistill.errors import ConfigError
from agentdistill.runtime.services import serve_token

NAME = "AGENTDISTILL_SERVE_TOKEN"


def test_by_default_http_is_for_this_machine() -> None:
    assert ClusterConfig().serve_host == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_asks_for_no_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert serve_token(ClusterConfig(serve_port=8000, serve_host=host)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "node-7", ""])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_others_reach_needs_a_token(host: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    if value is not None:
        monkeypatch.setenv(NAME, value)
    with pytest.raises(ConfigError, match=rf"serve_host is {host}, .* {NAME} is not set, expected a token"):
        serve_token(ClusterConfig(serve_port=8000, serve_host=host))
    assert serve_token(ClusterConfig(serve_port=0, serve_host=host)) is None


def test_the_token_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "open sesame\n")
    config = ClusterConfig(serve_port=8000, serve_host="0.0.0.0", serve_token_env="MINE")
    assert serve_token(config) == "open sesame"

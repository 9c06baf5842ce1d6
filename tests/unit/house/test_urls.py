"""Credentials in a URL are found, wherever they stand in it; what is no credential stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdistill.urls import is_local_host, is_redacted, redact_tree, redact_url, url_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://user:pass@host:8000/v1", "https://***@host:8000/v1"),
        ("https://sk-123@host/v1", "https://***@host/v1"),
        ("https://us:p@ss@host/v1", "https://***@host/v1"),
        ("https://:pass@host", "https://***@host"),
        ("s3://KEY:SECRET@bucket/folder", "s3://***@bucket/folder"),
        ("https://host/v1?api-version=2024&api-key=abc", "https://host/v1?api-version=2024&api-key=***"),
        ("https://host/v1?key=abc&alt=json", "https://host/v1?key=***&alt=json"),
        ("https://host/?X-Amz-Signature=f00&X-Amz-Date=1", "https://host/?X-Amz-Signature=***&X-Amz-Date=1"),
        ("https://host/?accessToken=a&sig=b;password=c#access_token=d",
         "https://host/?accessToken=***&sig=***;password=***#access_token=***"),
        ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
        ("HTTP://u:p@HOST", "HTTP://***@HOST"),
        ("POST http://u:p@h/v1 failed, http://h?token=x too", "POST http://***@h/v1 failed, http://h?token=*** too"),
        ("filecache::s3://a:b@c", "filecache::s3://***@c"),
        ("me@example.com: key=value", "me@example.com: key=value"),
        ("", ""),
    ],
)  # fmt: skip
def test_credentials_are_hidden_and_nothing_else(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    assert redact_url(shown) == shown
    assert is_redacted(url) is False
    assert is_redacted(shown) is ("***" in shown)


@given(st.from_regex(r"[A-Za-z0-9!$%^*()+,;._~-]{6,20}", fullmatch=True), st.sampled_from(["user", ""]))
def test_no_password_or_key_is_left(secret: str, user: str) -> None:
    hidden = redact_url(f"https://{user}:{secret}@host/v1")
    assert hidden == "https://***@host/v1"
    assert "token=***" in redact_url(f"https://host/v1?a=1&token={secret.replace(';', '')}&b=2")


def test_a_tree_is_redacted_in_every_place() -> None:
    tree = {"a": ["http://u:p@h", 1, None], "b": {"c": "http://h?key=k"}, "d": True}
    assert redact_tree(tree) == {"a": ["http://***@h", 1, None], "b": {"c": "http://h?key=***"}, "d": True}


def test_the_secrets_are_given_as_they_stand_and_decoded() -> None:
    assert url_secrets("https://user:p%40ss@host/v1?key=abc&alt=json") == ["p%40ss", "abc", "p@ss"]
    assert url_secrets("https://host/v1?alt=json") == []


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True),
        ("::1", True), ("[::1]", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example.com", False),
        ("127.0.0.1.example.com", False), ("example.com", False), ("", False), ("notlocalhost", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_local(host: str, local: bool) -> None:
    assert is_local_host(host) is local

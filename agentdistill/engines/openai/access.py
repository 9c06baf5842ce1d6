"""Where an endpoint is and what opens it, and that the key goes nowhere else: not over the wire, not into a record."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from agentdistill.config import EngineConfig
from agentdistill.errors import ConfigError
from agentdistill.urls import HIDDEN, is_local_host, is_redacted, redact_url, url_secrets

_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
#: Shorter ones are no secrets, and would hide half of every sentence.
_MIN_SECRET = 4


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an endpoint. Its `repr` shows no secret."""

    base_url: str  # without user, password and query
    is_local: bool
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # sent with every request
    authorization: str | None = field(default=None, repr=False)  # the header; None sends none
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """The text with `***` for each secret in it, also as JSON, URLs and headers spell it."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return redact_url(_BEARER.sub(rf"\1 {HIDDEN}", text))


def read_access(config: EngineConfig, where: str = "engine") -> Access:
    """Read the key from the environment and check that it may go where the config sends it; opens nothing.

    `where`: the config's section, for the error. Raises ConfigError where base_url is no HTTP URL, where the endpoint
    is elsewhere and no key is there, and where the key would cross the network unencrypted.
    """
    parts = _parts(config.base_url, where)
    host, shown = parts.hostname or "", redact_url(config.base_url)
    local = is_local_host(host)
    key = _key(config, where)
    of_url = url_secrets(config.base_url)
    if config.api_key_env and not (key or of_url or local):
        raise ConfigError(
            f"{where}.base_url is {shown}, which is not this machine, and the environment variable "
            f"{config.api_key_env} is not set, expected an API key there, or {where}.api_key_env=null for an endpoint "
            "that asks for none"
        )
    if (key or of_url) and parts.scheme == "http" and not local and not config.allow_plain_http:
        raise ConfigError(
            f"{where}.base_url is {shown}, where others on the way can read the key, expected https://, or "
            f"{where}.allow_plain_http=true, or {where}.api_key_env=null for an endpoint that asks for no key"
        )
    basic = _basic(parts)
    secrets = [*([key] if key else []), *of_url, *([basic] if basic else [])]
    return Access(
        base_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/"),
        is_local=local,
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        authorization=f"Basic {basic}" if basic else f"Bearer {key}" if key else None,
        secrets=_spellings(secrets),
    )


class _Hiding(logging.Filter):
    """Takes the secrets of all endpoints of this process out of what is logged."""

    accesses: ClassVar[set[Access]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for access in self.accesses:
            text = access.redact(text)
        record.msg, record.args = text, ()
        return True


_HIDING = _Hiding()
_PARTS = ("connection", "http11", "http2", "http_proxy", "socks")
#: A logger's filter sees what is logged to that very logger, so each that the HTTP client has is named.
_LOGGERS = (
    "openai", "openai._base_client", "httpx", "httpx2",
    *(f"{core}.{part}" for core in ("httpcore", "httpcore2") for part in _PARTS),
)  # fmt: skip


def hide_in_logs(access: Access) -> None:
    """Have the HTTP client's own logs, which name URLs and headers, hide this endpoint's secrets. Safe to repeat."""
    _Hiding.accesses.add(access)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_HIDING)


def _parts(base_url: str, where: str) -> SplitResult:
    shown = redact_url(base_url)
    if is_redacted(base_url):
        raise ConfigError(
            f"{where}.base_url is {shown}, a stored copy without its credentials, expected the URL itself: "
            f"give it again as {where}.base_url=..."
        )
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # it is read, and refused, when it is asked for
    except ValueError as error:
        raise ConfigError(f"{where}.base_url is {shown}, expected an http:// or https:// URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{where}.base_url is {shown!r}, expected an http:// or https:// URL")
    return parts


def _key(config: EngineConfig, where: str) -> str:
    key = os.environ.get(config.api_key_env, "").strip() if config.api_key_env else ""
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            f"{where}.api_key_env is {config.api_key_env}, which holds characters that no HTTP header takes, expected "
            "an API key there"
        )
    return key


def _basic(parts: SplitResult) -> str:
    user, separator, _ = parts.netloc.rpartition("@")
    return base64.b64encode(unquote(user).encode()).decode() if separator else ""


def _spellings(secrets: list[str]) -> tuple[str, ...]:
    """Every way in which an error text may hold the secrets, the longest first, so that none is left half."""
    found = {form for secret in secrets for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
    return tuple(sorted((form for form in found if len(form) >= _MIN_SECRET), key=len, reverse=True))

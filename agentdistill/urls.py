"""What a URL holds beside an address: whether it is this machine, and credentials, which no record may show."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "***"

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>`]+", re.IGNORECASE)
_USER = re.compile(r"(://)[^/?#]*@")
_PARAMETER = re.compile(r"([?&;#])([^=&;#]+)=([^&;#]*)")
#: How the name of a parameter ends that opens something: api-key, access_token, X-Amz-Signature, sig.
_SECRET_NAME = re.compile(r"(key|token|secret|password|passwd|pwd|signature|sig|auth|authorization|credentials?)$")


def redact_url(text: str) -> str:
    """The text with `***` in place of user and password, and of key-like parameters, of every URL in it."""
    return _URL.sub(lambda match: _redacted(match.group()), text) if "://" in text else text


def redact_tree(value: Any) -> Any:
    """A tree of plain lists and dicts with every text in it redacted as by `redact_url`."""
    if isinstance(value, dict):
        return {key: redact_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_tree(item) for item in value]
    return redact_url(value) if isinstance(value, str) else value


def is_redacted(url: str) -> bool:
    """Whether the URL is a copy of one with credentials, which are not in it any more."""
    return redact_url(url) == url and HIDDEN in url


def url_secrets(url: str) -> list[str]:
    """The credentials in one URL, as they stand there and decoded. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    found = [password or user]
    for name, value in parse_qsl(parts.query):
        if _is_secret(name):
            found.append(value)
    return [secret for secret in dict.fromkeys([*found, *map(unquote, found)]) if secret]


def is_local_host(host: str) -> bool:
    """Whether the name or address is this machine's own, so that what is sent there does not leave it."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _redacted(url: str) -> str:
    return _PARAMETER.sub(_hide_parameter, _USER.sub(rf"\1{HIDDEN}@", url, count=1))


def _hide_parameter(match: re.Match[str]) -> str:
    mark, name, value = match.groups()
    return f"{mark}{name}={HIDDEN if _is_secret(name) else value}"


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(re.sub(r"[^a-z]", "", name.lower())) is not None

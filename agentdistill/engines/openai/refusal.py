"""What an endpoint says where it does not answer, and what a refusal asks to change in the request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN_CHARS = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """The endpoint's own words."""

    message: str
    code: str = ""  # its code and type, where it has such
    param: str = ""  # the parameter that it names

    @property
    def words(self) -> str:
        """All of it, in lower case, to look for words in."""
        return f"{self.message} {self.code}".lower()


def read_reason(body: str) -> Reason:
    """The reason in the body of an error, whatever its shape: OpenAI's, a bare text, FastAPI's list, a proxy's page."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Reason(shorten(re.sub(r"<[^>]*>", " ", body)))
    return _reason(value) or Reason(shorten(body))


def error_in(answer: Any) -> Reason | None:
    """The reason in an answer that came as a success and holds an error in place of choices."""
    if not isinstance(answer, dict) or answer.get("choices"):
        return None
    if answer.get("error") or answer.get("object") == "error" or answer.get("detail"):
        return _reason(answer)
    return None


def _reason(value: Any) -> Reason | None:
    if isinstance(value, list):
        return next((reason for reason in map(_reason, value) if reason), None)
    if isinstance(value, str):
        return Reason(shorten(value)) if value.strip() else None
    if not isinstance(value, dict):
        return None
    for name in ("error", "errors"):
        if value.get(name):
            return _reason(value[name])
    detail = value.get("detail")
    if isinstance(detail, list):
        return Reason(shorten("; ".join(_details(detail))), param=_param(detail))
    message = next((value[name] for name in ("message", "detail", "msg", "error_msg") if value.get(name)), None)
    if message is None:
        return Reason(shorten(json.dumps(value))) if value else None
    code = " ".join(str(value[name]) for name in ("code", "type", "status") if value.get(name) is not None)
    inner = _inner(message)
    if inner is not None:
        return inner
    text = message if isinstance(message, str) else json.dumps(message)
    return Reason(shorten(text), code, str(value.get("param") or ""))


def _inner(message: Any) -> Reason | None:
    """The reason that a gateway has put, as JSON, into the text of its own."""
    if isinstance(message, str) and message.lstrip().startswith(("{", "[")):
        try:
            return _reason(json.loads(message))
        except (ValueError, RecursionError):
            return None
    return _reason(message) if isinstance(message, dict | list) else None


def _details(items: list[Any]) -> Iterator[str]:
    """`body.stop: what is wrong` for each entry of FastAPI's list."""
    for item in items:
        if isinstance(item, dict) and item.get("msg"):
            place = ".".join(str(part) for part in item.get("loc") or ())
            yield f"{place}: {item['msg']}" if place else str(item["msg"])
        else:
            yield item if isinstance(item, str) else json.dumps(item)


def _param(items: list[Any]) -> str:
    places = [item["loc"] for item in items if isinstance(item, dict) and isinstance(item.get("loc"), list)]
    names = [str(part) for part in places[0] if part != "body"] if places else []
    return names[0] if names else ""


def shorten(text: str) -> str:
    """The text on one line, with its end cut off where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def wants_other_limit(reason: Reason) -> bool:
    """Whether `max_tokens` is refused in favour of `max_completion_tokens`."""
    unsupported = re.search(r"unsupported|not supported|deprecated|unrecognized", reason.words)
    return bool(unsupported) and "max_completion_tokens" in reason.words and "max_tokens" in reason.words


def wants_one(reason: Reason) -> bool:
    """Whether several completions in one request are refused."""
    return reason.param == "n" or _ONE.search(reason.words) is not None


_ONE = re.compile(
    r"\bn ?(?:=|==|>|!=|must|should|has to|value)[^.]{0,20}\b1\b|['\"`]n['\"`]|\bparameter:? n\b|\bbody\.n\b"
    r"|only one (?:completion|choice|response|candidate)|multiple (?:completions|choices|candidates)"
    r"|candidate_?count"
)

_UNSUPPORTED = re.compile(
    r"unsupported|not supported|does not support|unknown|unrecognized|unexpected|not permitted|not allowed|extra "
)


def unsupported_parameter(reason: Reason, sent: set[str]) -> str | None:
    """The parameter of those sent that the endpoint does not know or take; None where it complains of another thing."""
    if not _UNSUPPORTED.search(reason.words):
        return None
    if reason.param in sent:
        return reason.param
    named = [name for name in sorted(sent) if re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", reason.words)]
    return named[0] if len(named) == 1 else None

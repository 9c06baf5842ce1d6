"""One request and its answer over HTTP; the key goes to the configured host alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agentdistill.engines.openai.access import Access, hide_in_logs
from agentdistill.engines.openai.overflow import is_overflow
from agentdistill.engines.openai.pace import retry_after_s
from agentdistill.engines.openai.refusal import Reason, error_in, read_reason

#: Too many requests, unavailable, overloaded (Anthropic's): the same request is taken later.
_BUSY = (429, 503, 529)
#: An account that is empty is not refilled by waiting.
_SPENT = ("insufficient_quota", "billing")
_PASSING = (408, 409, 425)


class OverloadedError(Exception):
    """The endpoint asks to come back later."""

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NoAnswerError(Exception):
    """No answer, or one that says nothing of the request: it may be tried again."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The endpoint will not answer this request, however often it is asked."""

    def __init__(self, status: int, reason: Reason) -> None:
        super().__init__(reason.message)
        self.status, self.reason = status, reason


class Exchange:
    """The connections to one endpoint."""

    def __init__(self, access: Access, stall_s: float) -> None:
        import openai

        hide_in_logs(access)
        self._openai, self._access, self._stall_s = openai, access, stall_s
        self._client = openai.AsyncOpenAI(
            base_url=access.base_url,
            api_key="none",  # the header is ours, below; the client refuses an empty one
            default_query=dict(access.query),
            max_retries=0,
            timeout=stall_s,
            # A redirect would take the key, or the prompt, to a host that nobody configured; so would a proxy for what
            # is on this machine.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not access.is_local),
        )

    async def post(self, body: dict[str, Any]) -> Any:
        """The answer's JSON. Raises OverloadedError, NoAnswerError, RefusedError."""
        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        header: Any = self._access.authorization or self._openai.Omit()
        openai = self._openai
        try:
            # The client's own timeout starts again with every byte: one that trickles would hold its place for ever.
            async with asyncio.timeout(self._stall_s):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=body["model"], messages=body["messages"], extra_body=rest,
                    extra_headers={"Authorization": header},
                )  # fmt: skip
            content, headers = response.http_response.content, response.headers
        except (openai.APITimeoutError, TimeoutError):
            raise NoAnswerError(f"the endpoint gave no answer within {self._stall_s:g} s") from None
        except openai.APIStatusError as error:
            raise self._problem(error.status_code, error.response.text, error.response.headers) from None
        except openai.OpenAIError as error:
            cause = f" ({type(error.__cause__).__name__}: {error.__cause__})" if error.__cause__ else ""
            raise NoAnswerError(f"{type(error).__name__}: {error}{cause}") from None
        except ValueError as error:
            raise NoAnswerError(f"the request cannot be sent: {error}") from None
        return self._answer(content, headers)

    def _answer(self, content: bytes, headers: Any) -> Any:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise NoAnswerError(f"the endpoint's answer is not JSON: {error}") from None
        reason = error_in(answer)
        if reason is None:
            return answer
        # Some servers send their errors as a success, with the status inside.
        code = next((int(word) for word in reason.code.split() if word.isdigit()), 400)
        raise self._problem(code, json.dumps(answer), headers)

    def _problem(self, status: int, text: str, headers: Any) -> Exception:
        # Redacted before it is cut short, which could leave the half of a key.
        reason, pause_s = read_reason(self._access.redact(text)), retry_after_s(headers)
        if 300 <= status < 400:
            place = self._access.redact(headers.get("location", "elsewhere"))
            return RefusedError(status, Reason(f"it redirects to {place}, expected base_url to be the final URL"))
        if status in _BUSY and not any(word in reason.words for word in _SPENT):
            return OverloadedError(f"status {status}: {reason.message}", pause_s)
        if status in _PASSING or (status >= 500 and not is_overflow(reason, status)):
            return NoAnswerError(f"the endpoint failed with status {status}: {reason.message}", pause_s)
        return RefusedError(status, reason)

    async def close(self) -> None:
        await self._client.close()

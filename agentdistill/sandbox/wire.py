"""Messages between the host and a session: frames of JSON behind a length, so that reading one runs no code.

Both sides use it. The host treats every byte as hostile: a frame has a largest size, and whatever does not decode to
an object of plain data is a ProtocolError.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from agentdistill.errors import SandboxError

MAX_FRAME_BYTES = 64 * 2**20
_HEADER = struct.Struct(">I")


class ProtocolError(SandboxError):
    """The other side sent bytes that are no message."""


def encode(message: dict[str, Any]) -> bytes:
    """One frame. ASCII JSON, so that lone surrogates survive. Raises TypeError and ValueError for other data."""
    payload = json.dumps(message, ensure_ascii=True, check_circular=True).encode("ascii")
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(payload)} bytes; at most {MAX_FRAME_BYTES} are sent")
    return _HEADER.pack(len(payload)) + payload


class Decoder:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield each message that is complete now. Raises ProtocolError."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self._buffer)
            if size > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {size} bytes was announced; at most {MAX_FRAME_BYTES} are read")
            end = _HEADER.size + size
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield decode(payload)


def decode(payload: bytes) -> dict[str, Any]:
    """One message. Raises ProtocolError."""
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProtocolError(f"a frame that is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"a frame that holds a {type(message).__name__}; expected an object")
    return message


def clean(text: str) -> str:
    """The text with lone surrogates replaced, so that it can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")

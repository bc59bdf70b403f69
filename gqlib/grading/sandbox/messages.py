"""Messages between the sandbox's processes over a socket: the length, then JSON."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEADER = struct.Struct("!I")
_LIMIT = 2**26


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message, whole."""
    content = json.dumps(message).encode()
    connection.sendall(HEADER.pack(len(content)) + content)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Wait for a message.

    Raises:
        EOFError: The other side has ended.
    """
    message: dict[str, Any] = json.loads(_content(connection))
    return message


def receive_from_anyone(connection: socket.socket) -> dict[str, Any]:
    """Wait for a message from an untrusted process: see :func:`read`."""
    return read(_content(connection))


def _content(connection: socket.socket) -> bytes:
    size = HEADER.unpack(_exactly(connection, HEADER.size))[0]
    if size > _LIMIT:
        raise ValueError(f"a message of {size} bytes, expected at most {_LIMIT}")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = connection.recv(min(size - len(content), 2**20))
        if not part:
            raise EOFError
        content += part
    return bytes(content)


#: The fields of a notebook's outputs.
_FIELDS: dict[str, dict[str, type]] = {
    "display_data": {"data": dict, "metadata": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "execute_result": {"data": dict, "metadata": dict},
    "stream": {"name": str, "text": str},
}


def read(content: bytes) -> dict[str, Any]:
    """A message from an untrusted process, whose text is made safe to write.

    Raises:
        Exception: It is not a message.
    """
    text = json.dumps(json.loads(content), ensure_ascii=False)
    message: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return message


def is_output(output: Any) -> bool:
    """Whether a value has the fields of a notebook's output; it may also raise."""
    fields = _FIELDS[output["output_type"]]
    return all(isinstance(output[name], kind) for name, kind in fields.items())

"""What the sandbox's processes say to each other over a socket: JSON behind its length."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEADER = struct.Struct("!I")


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message, whole."""
    content = json.dumps(message).encode()
    connection.sendall(HEADER.pack(len(content)) + content)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Wait for a message.

    Raises:
        EOFError: The other side has ended.
    """
    size = HEADER.unpack(_exactly(connection, HEADER.size))[0]
    message: dict[str, Any] = json.loads(_exactly(connection, size))
    return message


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise EOFError
        content += part
    return content


#: The fields of a notebook's outputs.
_FIELDS: dict[str, dict[str, type]] = {
    "display_data": {"data": dict, "metadata": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "execute_result": {"data": dict, "metadata": dict},
    "stream": {"name": str, "text": str},
}


def read(content: bytes) -> dict[str, Any]:
    """A message of a process that may lie; its text can be written, whatever it was.

    Raises:
        Exception: It is no message.
    """
    text = json.dumps(json.loads(content), ensure_ascii=False)
    message: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return message


def is_output(output: Any) -> bool:
    """Whether a value has the fields of a notebook's output; it may also raise."""
    fields = _FIELDS[output["output_type"]]
    return all(isinstance(output[name], kind) for name, kind in fields.items())

"""Asks the running relay over its control socket."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from relay.adapters.inbound.control.wire import MAX_LINE_BYTES, Answer, ControlError, Reply

TIMEOUT_S = 40.0
"""Longer than the server lets a request take."""
MAX_ANSWER_BYTES = 1024 * 1024


class NoServer(Exception):
    """No relay serves this database now."""


class Refused(Exception):
    """The relay answered that it could not; `error` says why."""

    def __init__(self, error: ControlError) -> None:
        super().__init__(error.message)
        self.error = error


def send(path: Path, request: Mapping[str, object], *, timeout_s: float = TIMEOUT_S) -> Answer:
    """The result of `request` (`do` and its fields). Raises `NoServer`, `Refused`, or `OSError` when the relay does
    not answer sense in time."""
    line = msgspec.json.encode(request) + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise Refused(ControlError(status=413, message=f"a request has at most {MAX_LINE_BYTES} bytes"))
    _check_owner(path)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoServer(f"no relay listens on {path}") from error
        connection.sendall(line)
        answer = _line(connection)
    try:
        reply = msgspec.json.decode(answer, type=Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConnectionError("the relay's answer cannot be read") from error
    if reply.error is not None:
        raise Refused(reply.error)
    return reply.result or {}


def _check_owner(path: Path) -> None:
    """A socket in a folder open to all may be somebody else's trap."""
    try:
        owner = path.lstat().st_uid
    except OSError as error:
        raise NoServer(f"no relay listens on {path}") from error
    if os.geteuid() not in {0, owner}:
        raise PermissionError(f"{path} belongs to another user")


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk = connection.recv(65536)
        if not chunk or len(received) > MAX_ANSWER_BYTES:
            raise ConnectionError("the relay closed the connection without an answer")
        received += chunk
    return bytes(received)

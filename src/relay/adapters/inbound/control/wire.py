"""What goes over the control socket: one JSON line asks, one JSON line answers.

{"do": "keys.create", "name": "web", "tags": ["team:web"]}
{"ok": true, "result": {…}}
{"ok": false, "error": {"status": 400, "code": "key_name_taken", "message": "…", "param": "name"}}
"""

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

MAX_LINE_BYTES = 64 * 1024
MAX_PATH_BYTES = 100
"""Of a socket's path: the kernels' limits are 104 (macOS, BSD) and 108 (Linux) with the closing NUL."""

type Answer = dict[str, object]


class ControlError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed. `status` is as in HTTP; `code` and `param` may be absent."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer's line: `result` when `ok`, else `error`."""

    ok: bool
    result: Answer | None = None
    error: ControlError | None = None


def socket_path(database: Path) -> Path:
    """Where the socket of the relay that serves `database` is: beside it, or, where that path is too long for a
    socket, under a name made from it in the folder for temporary files."""
    resolved = database.resolve()
    beside = resolved.with_name(resolved.name + ".sock")
    if len(os.fsencode(beside)) <= MAX_PATH_BYTES:
        return beside
    name = hashlib.sha256(os.fsencode(beside)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"relay-{name}.sock"

"""The control socket answers whatever comes, to its owner alone."""

import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio import to_thread

from relay.adapters.inbound.control import server as server_module
from relay.adapters.inbound.control.client import NoServer, Refused, send
from relay.adapters.inbound.control.keys import key_handlers
from relay.adapters.inbound.control.server import ControlServer
from relay.adapters.inbound.control.wire import MAX_LINE_BYTES, MAX_PATH_BYTES, Answer, socket_path
from relay.application.manage.keys import CreateKey, RevokeKey
from relay.application.settle_usage import StoreUnavailable
from relay.domain.keys import public_id
from tests.support.fakes_chat import TickingClock
from tests.support.fakes_keys import CountingEntropy, MemoryKeys

pytestmark = pytest.mark.anyio


async def echo(line: bytes) -> Answer:
    return {"line": line.decode()}


async def fail(line: bytes) -> Answer:
    raise RuntimeError("with a secret in it")


async def unsendable(line: bytes) -> Answer:
    return {"result": object()}


async def miss(line: bytes) -> Answer:
    raise StoreUnavailable("database is locked")


async def sleep(line: bytes) -> Answer:
    await anyio.sleep(30)
    return {}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay.db.sock"


@pytest.fixture
async def served(path: Path) -> AsyncIterator[Path]:
    """A server with handlers that behave and misbehave."""
    handlers = {"echo": echo, "fail": fail, "miss": miss, "sleep": sleep, "unsendable": unsendable}
    server = ControlServer(path, handlers)
    async with server.listening():
        yield path


async def ask(path: Path, request: dict[str, object]) -> Answer:
    return await to_thread.run_sync(lambda: send(path, request, timeout_s=5))


async def raw(path: Path, data: bytes, *, close: bool = False) -> bytes:
    """What comes back for these bytes."""
    async with await anyio.connect_unix(path) as stream:
        await stream.send(data)
        if close:
            await stream.send_eof()
        received = b""
        with anyio.fail_after(5):
            try:
                while True:
                    received += await stream.receive()
            except anyio.EndOfStream:
                return received


def error_of(line: bytes) -> dict[str, Any]:
    answer = msgspec.json.decode(line)
    assert answer["ok"] is False
    error: dict[str, Any] = answer["error"]
    return error


async def test_a_request_is_answered(served: Path) -> None:
    assert await ask(served, {"do": "echo", "x": "ü"}) == {"line": '{"do":"echo","x":"ü"}'}


async def test_only_the_owner_can_reach_it(served: Path) -> None:
    assert stat.S_IMODE(served.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(served.stat().st_mode)


async def test_what_it_cannot_do_is_refused_by_name(served: Path) -> None:
    with pytest.raises(Refused, match="cannot 'dance'") as caught:
        await ask(served, {"do": "dance"})
    assert (caught.value.error.status, caught.value.error.code) == (400, "unknown_command")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"{\n",
        b"null\n",
        b"[]\n",
        b'{"do": 7}\n',
        b"{}\n",
        b"\xff\xfe\x00\n",
        b'{"do":"\xff"}\n',
        b"GET / HTTP/1.1\r\n\r\n",
        b"[" * 60_000 + b"\n",
    ],
)
async def test_garbage_is_answered_with_an_error_and_the_server_goes_on(served: Path, garbage: bytes) -> None:
    assert error_of(await raw(served, garbage))["status"] == 400
    assert await ask(served, {"do": "echo"})


async def test_a_line_without_an_end_is_cut_off(served: Path) -> None:
    async with await anyio.connect_unix(served) as stream:
        try:
            for _ in range(10):
                await stream.send(b"x" * MAX_LINE_BYTES)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
    assert await ask(served, {"do": "echo"})


async def test_a_client_that_leaves_early_leaves_no_trace(served: Path) -> None:
    for data in (b"", b'{"do":'):
        assert await raw(served, data or b" ", close=True) == b""
    assert await ask(served, {"do": "echo"})


async def test_a_client_that_says_nothing_is_dropped(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "READ_TIMEOUT_S", 0.05)
    assert await raw(served, b" ") == b""


async def test_a_request_that_takes_too_long_is_answered(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "DO_TIMEOUT_S", 0.05)
    with pytest.raises(Refused, match="did not finish") as caught:
        await ask(served, {"do": "sleep"})
    assert caught.value.error.status == 504


async def test_a_bug_is_answered_without_its_words(served: Path) -> None:
    with pytest.raises(Refused, match=r"^the relay failed: RuntimeError$"):
        await ask(served, {"do": "fail"})


async def test_a_result_that_cannot_be_sent_is_a_bug_like_any_other(served: Path) -> None:
    with pytest.raises(Refused, match=r"^the relay failed: TypeError$"):
        await ask(served, {"do": "unsendable"})
    assert await ask(served, {"do": "echo"})


async def test_a_database_that_is_away_is_said(served: Path) -> None:
    with pytest.raises(Refused, match="database is locked") as caught:
        await ask(served, {"do": "miss"})
    assert (caught.value.error.status, caught.value.error.code) == (503, "database_unavailable")


async def test_many_ask_at_once(served: Path) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(ask, served, {"do": "echo", "n": number})


async def test_a_slow_request_does_not_hold_up_another(served: Path) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(raw, served, b'{"do":"sleep"}\n')
        with anyio.fail_after(2):
            assert await ask(served, {"do": "echo"})
        tasks.cancel_scope.cancel()


async def test_a_socket_left_by_a_killed_relay_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NoServer):
        await ask(path, {"do": "echo"})
    async with ControlServer(path, {"echo": echo}).listening():
        assert await ask(path, {"do": "echo"})
    assert not path.exists()


async def test_a_file_that_is_no_socket_is_not_removed(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        async with ControlServer(path, {}).listening():
            raise AssertionError
    assert path.read_text() == "precious"


async def test_without_a_server_the_client_says_so(path: Path) -> None:
    with pytest.raises(NoServer, match="no relay listens"):
        await ask(path, {"do": "echo"})


async def test_a_request_too_long_is_not_even_sent(path: Path) -> None:
    with pytest.raises(Refused, match="at most 65536"):
        await ask(path, {"do": "echo", "x": "y" * MAX_LINE_BYTES})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_another_users_socket_is_not_trusted(served: Path) -> None:
    os.chown(served, 12345, 12345)
    monkey = pytest.MonkeyPatch()
    monkey.setattr("os.geteuid", lambda: 1000)
    try:
        with pytest.raises(PermissionError, match="another user"):
            await ask(served, {"do": "echo"})
    finally:
        monkey.undo()


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"ok":tru', b"\xff\n"])
async def test_an_answer_that_makes_no_sense_is_an_error_not_a_result(path: Path, answer: bytes) -> None:
    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            if answer:
                await stream.send(answer)

    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        with pytest.raises(ConnectionError):
            await ask(path, {"do": "echo"})
        tasks.cancel_scope.cancel()


def test_the_socket_lies_beside_the_database(tmp_path: Path) -> None:
    assert socket_path(tmp_path / "relay.db") == tmp_path.resolve() / "relay.db.sock"


async def test_a_path_too_long_for_a_socket_gets_a_short_name_both_sides_agree_on(tmp_path: Path) -> None:
    database = tmp_path / ("long" * 30) / "relay.db"
    database.parent.mkdir()
    path = socket_path(database)
    assert len(os.fsencode(path)) <= MAX_PATH_BYTES
    assert path == socket_path(database.parent / "." / "relay.db") != socket_path(tmp_path / "other.db")
    async with ControlServer(path, {"echo": echo}).listening():
        assert await ask(path, {"do": "echo"})


async def test_a_key_is_made_and_revoked_and_both_are_effective_when_answered(path: Path) -> None:
    keys, clock, refreshed = MemoryKeys(), TickingClock(), []

    async def refresh() -> None:
        refreshed.append(len(keys.records))

    handlers = key_handlers(
        CreateKey(open_work=keys.open_work, entropy=CountingEntropy(), clock=clock),
        RevokeKey(open_work=keys.open_work, clock=clock),
        refresh,
    )
    async with ControlServer(path, handlers).listening():
        created = await ask(path, {"do": "keys.create", "name": "web", "tags": ["team:web"], "models": ["m"]})
        identity = public_id(str(created["key"]))
        assert created["record"] == {
            "public_id": identity,
            "name": "web",
            "tags": ["team:web"],
            "models": ["m"],
            "created_ms": clock.unix_ms(),
            "expires_ms": 0,
            "revoked_ms": 0,
            "is_admin": False,
        }
        with pytest.raises(Refused, match="named 'web' already") as caught:
            await ask(path, {"do": "keys.create", "name": "web"})
        assert (caught.value.error.status, caught.value.error.code) == (400, "key_name_taken")
        with pytest.raises(Refused, match="unknown field") as caught:
            await ask(path, {"do": "keys.create", "name": "x", "tag": ["team:web"]})
        assert caught.value.error.status == 400
        with pytest.raises(Refused, match="Did you mean 'web'") as caught:
            await ask(path, {"do": "keys.revoke", "name": "wep"})
        assert caught.value.error.status == 404
        revoked = await ask(path, {"do": "keys.revoke", "name": "web"})
        assert isinstance(revoked["record"], dict)
        assert revoked["record"]["revoked_ms"] == clock.unix_ms()
    assert refreshed == [1, 1]

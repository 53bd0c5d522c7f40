"""`config.reload` over the control socket."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from relay.adapters.inbound.cli.programs import Reloaded
from relay.adapters.inbound.control.config import config_handlers
from relay.settings import Mistake

pytestmark = pytest.mark.anyio


def answering(result: Reloaded) -> Callable[[], Awaitable[Reloaded]]:
    async def reload() -> Reloaded:
        return result

    return reload


@pytest.mark.parametrize(
    "result",
    [
        Reloaded(file="relay.toml", providers=2, models=1, is_changed=True, needs_restart=("server.port",)),
        Reloaded(
            file="",
            mistakes=(Mistake(source="relay.toml", line=1, column=2, reason="no", excerpt=("a", "^")),),
        ),
    ],
)
async def test_what_the_server_says_is_what_the_command_reads(result: Reloaded) -> None:
    answer = await config_handlers(answering(result))["config.reload"](b'{"do": "config.reload"}')
    sent = msgspec.json.decode(msgspec.json.encode(answer))
    assert msgspec.convert(sent, Reloaded) == result


async def test_a_request_with_more_to_it_is_not_read() -> None:
    handler = config_handlers(answering(Reloaded(file="")))["config.reload"]
    with pytest.raises(msgspec.ValidationError):
        await handler(b'{"do": "config.reload", "file": "other.toml"}')

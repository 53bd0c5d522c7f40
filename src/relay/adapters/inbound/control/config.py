"""The control socket's request about the configuration."""

from collections.abc import Awaitable, Callable

import msgspec

from relay.adapters.inbound.cli.programs import Reloaded
from relay.adapters.inbound.control.server import Handler
from relay.adapters.inbound.control.wire import Answer


class _Reload(msgspec.Struct, forbid_unknown_fields=True):
    do: str


def config_handlers(reload: Callable[[], Awaitable[Reloaded]]) -> dict[str, Handler]:
    """The handler of `config.reload`. A refused reload is an answer like any other: its mistakes say why."""

    async def do_reload(line: bytes) -> Answer:
        msgspec.json.decode(line, type=_Reload)
        answer: Answer = msgspec.to_builtins(await reload())
        return answer

    return {"config.reload": do_reload}

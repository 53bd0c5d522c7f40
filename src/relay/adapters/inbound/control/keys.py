"""The control socket's requests about keys."""

from collections.abc import Awaitable, Callable

import msgspec

from relay.adapters.inbound.control.server import Handler
from relay.adapters.inbound.control.wire import Answer
from relay.application.manage.keys import CreateKey, RevokeKey
from relay.domain.keys import KeyRecord


class _Create(msgspec.Struct, forbid_unknown_fields=True):
    do: str
    name: str
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    expires_ms: int = 0
    is_admin: bool = False


class _Revoke(msgspec.Struct, forbid_unknown_fields=True):
    do: str
    name: str


def key_handlers(
    create: CreateKey, revoke: RevokeKey, refresh: Callable[[], Awaitable[None]]
) -> dict[str, Handler]:
    """Handlers of `keys.create` and `keys.revoke`.

    `refresh` makes the change effective in this process before it is answered, so that a new key works at once.
    """

    async def do_create(line: bytes) -> Answer:
        asked = msgspec.json.decode(line, type=_Create)
        created = await create(
            asked.name, asked.tags, asked.models, asked.expires_ms, is_admin=asked.is_admin
        )
        await refresh()
        return {"key": created.key, "record": key_view(created.record)}

    async def do_revoke(line: bytes) -> Answer:
        asked = msgspec.json.decode(line, type=_Revoke)
        record = await revoke(asked.name)
        await refresh()
        return {"record": key_view(record)}

    return {"keys.create": do_create, "keys.revoke": do_revoke}


def key_view(record: KeyRecord) -> Answer:
    """What may be shown of a key. Times are unix milliseconds, 0 meaning never."""
    return {
        "public_id": record.public_id,
        "name": record.name,
        "tags": [str(tag) for tag in record.tags],
        "models": list(record.models),
        "created_ms": record.created_ms,
        "expires_ms": record.expires_ms,
        "revoked_ms": record.revoked_ms,
        "is_admin": record.is_admin,
    }

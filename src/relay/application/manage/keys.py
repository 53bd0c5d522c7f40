"""Makes, lists and revokes the relay's own API keys."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Protocol

from relay.application.ports import Clock
from relay.domain.errors import InvalidRequest
from relay.domain.keys import PUBLIC_BYTES, SECRET_BYTES, KeyRecord, digest, mint, public_id
from relay.domain.names import MAX_NAME_CHARACTERS
from relay.domain.tags import MAX_TAG_CHARACTERS, MAX_TAGS, Tag, looks_secret, parse

MAX_KEY_NAME_CHARACTERS = 64
MAX_MODELS = 100


class KeyNameTaken(InvalidRequest):
    """A live key has this name."""

    code = "key_name_taken"


class UnknownKey(InvalidRequest):
    """No key has this name or public id; `closest` are names that look like it."""

    status = 404
    code = "key_not_found"

    def __init__(self, wanted: str, closest: tuple[str, ...]) -> None:
        hint = f" Did you mean {', '.join(repr(near) for near in closest)}?" if closest else ""
        super().__init__(f"key {wanted!r} not found.{hint}", param="name")
        self.closest = closest


class KeyListing(Protocol):
    """Every key ever made, to be read."""

    async def all(self) -> tuple[KeyRecord, ...]:
        """In the order they were made, revoked ones included. Raises `StoreUnavailable`."""
        ...


class KeyRepository(KeyListing, Protocol):
    """Every key ever made, inside a change."""

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        ...

    async def revoke(self, public_id: str, at_ms: int) -> None:
        """Stamp a key that is there."""
        ...


class UnitOfWork(Protocol):
    """One change of the configuration: nothing of it is there until `commit`.

    Changes exclude each other, so what was read in one still holds when it is committed.
    """

    @property
    def keys(self) -> KeyRepository:
        """The keys as this change sees them."""
        ...

    async def commit(self) -> None:
        """Make it so, for every process within 2 s. Raises `StoreUnavailable`."""
        ...


type OpenWork = Callable[[], AbstractAsyncContextManager[UnitOfWork]]


class Entropy(Protocol):
    """Random bytes fit for secrets."""

    def random_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        ...


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key. `key` is shown this once and kept nowhere."""

    record: KeyRecord
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """Mints a key and keeps its digest."""

    open_work: OpenWork
    entropy: Entropy
    clock: Clock

    async def __call__(
        self,
        name: str,
        tags: Sequence[str] = (),
        models: Sequence[str] = (),
        expires_ms: int = 0,
        *,
        is_admin: bool = False,
    ) -> CreatedKey:
        """`tags` are `key:value` or bare words, `models` what it may call (empty: everything).

        `expires_ms` is unix milliseconds, 0 meaning never; `is_admin` lets it manage models. Raises
        `InvalidRequest`, `KeyNameTaken` and `StoreUnavailable`.
        """
        now_ms = self.clock.unix_ms()
        if expires_ms and expires_ms <= now_ms:
            raise InvalidRequest("the expiry lies in the past", param="expires")
        key = mint(self.entropy.random_bytes(PUBLIC_BYTES), self.entropy.random_bytes(SECRET_BYTES))
        record = KeyRecord(
            public_id=public_id(key) or "",
            name=_checked_name(name),
            digest=digest(key),
            tags=_checked_tags(tags),
            models=_checked_models(models),
            created_ms=now_ms,
            expires_ms=expires_ms,
            is_admin=is_admin,
        )
        async with self.open_work() as work:
            for other in await work.keys.all():
                if record.name == other.public_id or (record.name == other.name and other.is_live(now_ms)):
                    raise KeyNameTaken(f"there is a key named {record.name!r} already", param="name")
            await work.keys.add(record)
            await work.commit()
        return CreatedKey(record, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKeys:
    """Shows what is known of every key."""

    keys: KeyListing

    async def __call__(self) -> tuple[KeyRecord, ...]:
        """In the order they were made, revoked and expired ones included. Raises `StoreUnavailable`."""
        return await self.keys.all()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """Makes a key useless, everywhere within 2 s."""

    open_work: OpenWork
    clock: Clock

    async def __call__(self, name_or_id: str) -> KeyRecord:
        """The revoked key. Asked by public id, a key that is revoked already is answered as it is.

        Raises `UnknownKey` and `StoreUnavailable`.
        """
        now_ms = self.clock.unix_ms()
        async with self.open_work() as work:
            record = _found(name_or_id, await work.keys.all(), now_ms)
            if record.revoked_ms:
                return record
            await work.keys.revoke(record.public_id, now_ms)
            await work.commit()
        return replace(record, revoked_ms=now_ms)


def _found(wanted: str, records: Sequence[KeyRecord], now_ms: int) -> KeyRecord:
    """By public id, else by name among those not revoked, a live one before an expired one of the same name."""
    usable = [record for record in records if not record.revoked_ms]
    named = sorted(
        (record for record in usable if record.name == wanted), key=lambda record: not record.is_live(now_ms)
    )
    matches = [record for record in records if record.public_id == wanted] or named
    if not matches:
        raise UnknownKey(wanted, tuple(get_close_matches(wanted, [record.name for record in usable])))
    return matches[0]


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if not stripped or len(stripped) > MAX_KEY_NAME_CHARACTERS or not stripped.isprintable():
        raise InvalidRequest(
            f"a key's name has 1 to {MAX_KEY_NAME_CHARACTERS} printable characters", param="name"
        )
    if looks_secret(stripped):
        raise InvalidRequest("a key's name may not look like a secret", param="name")
    return stripped


def _checked_tags(words: Sequence[str]) -> tuple[Tag, ...]:
    tags: dict[tuple[str, str], Tag] = {}
    for word in words:
        parsed = parse((word,), "key")
        if not parsed:
            raise InvalidRequest(
                f"a tag is key:value or one word, at most {MAX_TAG_CHARACTERS} characters, without commas "
                "and not like a secret",
                param="tags",
            )
        tags.update({(tag.key, tag.value): tag for tag in parsed})
    if len(tags) > MAX_TAGS:
        raise InvalidRequest(f"a key carries at most {MAX_TAGS} tags", param="tags")
    return tuple(tags.values())


def _checked_models(models: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(stripped for model in models if (stripped := model.strip())))
    if len(names) > MAX_MODELS:
        raise InvalidRequest(f"a key lists at most {MAX_MODELS} models", param="models")
    if any(len(name) > MAX_NAME_CHARACTERS or not name.isprintable() for name in names):
        raise InvalidRequest(
            f"a model's name has at most {MAX_NAME_CHARACTERS} printable characters", param="models"
        )
    return names

"""Making, listing and revoking keys."""

import pytest

from relay.application.manage.keys import (
    CreatedKey,
    CreateKey,
    KeyNameTaken,
    ListKeys,
    RevokeKey,
    UnknownKey,
)
from relay.domain.errors import InvalidRequest
from relay.domain.keys import fits, public_id
from relay.domain.tags import Tag
from tests.support.fakes_keys import CountingEntropy, MemoryKeys

pytestmark = pytest.mark.anyio


class Wall:
    """A wall clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def unix_ms(self) -> int:
        return self.now_ms

    def unix_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic(self) -> float:
        return 0.0


class KeyDesk:
    """The three use cases over one store."""

    def __init__(self) -> None:
        self.clock = Wall()
        self.store = MemoryKeys()
        self.create = CreateKey(open_work=self.store.open_work, entropy=CountingEntropy(), clock=self.clock)
        self.list = ListKeys(keys=self.store)
        self.revoke = RevokeKey(open_work=self.store.open_work, clock=self.clock)


@pytest.fixture
def desk() -> KeyDesk:
    return KeyDesk()


async def test_a_new_key_is_kept_by_its_digest_alone(desk: KeyDesk) -> None:
    created = await desk.create("web", ["team:web", "batch"], ["openai/*"], 2_000_000)
    assert isinstance(created, CreatedKey)
    record = created.record
    assert await desk.list() == (record,)
    assert public_id(created.key) == record.public_id
    assert fits(created.key, record)
    assert created.key not in repr(record)
    assert record.tags == (Tag("team", "web", "key"), Tag("tag", "batch", "key"))
    assert (record.models, record.created_ms, record.expires_ms) == (("openai/*",), 1_000_000, 2_000_000)
    assert record.is_live(1_999_999)
    assert not record.is_live(2_000_000)


async def test_two_keys_are_different(desk: KeyDesk) -> None:
    one, two = await desk.create("one"), await desk.create("two")
    assert one.record.public_id != two.record.public_id
    assert not fits(one.key, two.record)


async def test_a_live_name_is_taken(desk: KeyDesk) -> None:
    await desk.create("web")
    with pytest.raises(KeyNameTaken, match="named 'web' already"):
        await desk.create(" web ")
    assert len(await desk.list()) == 1


async def test_the_name_of_a_revoked_or_expired_key_is_free_again(desk: KeyDesk) -> None:
    await desk.create("web")
    await desk.revoke("web")
    await desk.create("web", expires_ms=1_000_001)
    desk.clock.now_ms += 1
    await desk.create("web")
    assert [record.name for record in await desk.list()] == ["web", "web", "web"]


async def test_a_public_id_is_not_a_name_for_another_key(desk: KeyDesk) -> None:
    created = await desk.create("web")
    with pytest.raises(KeyNameTaken):
        await desk.create(created.record.public_id)


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 65, "a\nb", "a\x00", "\ud800", "sk-proj-abcdefghijklmnop1234"]
)
async def test_an_unfit_name_is_refused(desk: KeyDesk, name: str) -> None:
    with pytest.raises(InvalidRequest, match="name") as caught:
        await desk.create(name)
    assert caught.value.param == "name"
    assert await desk.list() == ()


@pytest.mark.parametrize(
    "tag", ["", ":", "team:", "a,b", "t:" + "x" * 64, "sk-proj-abcdefghijklmnop1234", "a\nb"]
)
async def test_an_unfit_tag_is_refused_not_dropped(desk: KeyDesk, tag: str) -> None:
    with pytest.raises(InvalidRequest, match="a tag is") as caught:
        await desk.create("web", ["team:web", tag])
    assert tag not in str(caught.value) or len(tag) < 10


async def test_tags_are_counted_once_each_and_no_more_than_ten(desk: KeyDesk) -> None:
    created = await desk.create("web", ["team:web", "team:web", "TEAM:web"])
    assert created.record.tags == (Tag("team", "web", "key"),)
    with pytest.raises(InvalidRequest, match="at most 10 tags"):
        await desk.create("many", [f"n:{number}" for number in range(11)])


async def test_models_are_tidied_and_bounded(desk: KeyDesk) -> None:
    created = await desk.create("web", models=[" gpt-5 ", "", "gpt-5", "openai/*"])
    assert created.record.models == ("gpt-5", "openai/*")
    for models in (["m" * 600], ["a\x00b"], [f"m{number}" for number in range(101)]):
        with pytest.raises(InvalidRequest, match="model"):
            await desk.create("other", models=models)


async def test_an_expiry_that_is_over_is_refused(desk: KeyDesk) -> None:
    with pytest.raises(InvalidRequest, match="past"):
        await desk.create("web", expires_ms=1_000_000)


async def test_a_key_is_revoked_by_name_or_by_public_id(desk: KeyDesk) -> None:
    await desk.create("one")
    two = await desk.create("two")
    desk.clock.now_ms += 5
    assert (await desk.revoke("one")).revoked_ms == 1_000_005
    assert (await desk.revoke(two.record.public_id)).name == "two"
    assert not any(record.is_live(1_000_005) for record in await desk.list())
    assert desk.store.any_exist()


async def test_revoking_by_public_id_again_changes_nothing(desk: KeyDesk) -> None:
    created = await desk.create("one")
    first = await desk.revoke(created.record.public_id)
    desk.clock.now_ms += 5
    assert await desk.revoke(created.record.public_id) == first
    with pytest.raises(UnknownKey):
        await desk.revoke("one")


async def test_of_two_keys_of_one_name_the_live_one_is_revoked(desk: KeyDesk) -> None:
    await desk.create("web", expires_ms=1_000_001)
    desk.clock.now_ms += 1
    live = await desk.create("web")
    assert (await desk.revoke("web")).public_id == live.record.public_id


async def test_an_expired_key_can_still_be_revoked_by_name(desk: KeyDesk) -> None:
    await desk.create("web", expires_ms=1_000_001)
    desk.clock.now_ms += 1
    assert (await desk.revoke("web")).revoked_ms == 1_000_001


async def test_an_unknown_key_is_answered_with_names_that_look_like_it(desk: KeyDesk) -> None:
    await desk.create("frontend")
    with pytest.raises(UnknownKey, match="Did you mean 'frontend'") as caught:
        await desk.revoke("frontent")
    assert (caught.value.status, caught.value.closest) == (404, ("frontend",))
    with pytest.raises(UnknownKey, match=r"not found\.$"):
        await desk.revoke("zzz")

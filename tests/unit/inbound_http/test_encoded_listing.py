"""A listing's bytes are made once, and never those of other cards."""

import msgspec

from relay.adapters.inbound.http.encoded_listing import EncodedListing
from relay.application.list_models import ModelCard


def cards(*names: str) -> tuple[ModelCard, ...]:
    return tuple(
        ModelCard(name=name, owner="up", capabilities=("completion",), created=1, digest="0" * 64, family="m")
        for name in names
    )


def test_the_same_cards_are_written_out_once() -> None:
    written: list[tuple[ModelCard, ...]] = []

    def names(listed: tuple[ModelCard, ...]) -> list[str]:
        written.append(listed)
        return [card.name for card in listed]

    listing, some = EncodedListing(names), cards("a", "b")
    assert [listing(some), listing(some)] == [b'["a","b"]'] * 2
    assert written == [some]


def test_other_cards_have_other_bytes_however_many_there_have_been() -> None:
    listing = EncodedListing(lambda listed: [card.name for card in listed])
    kept = [cards(f"m{number}") for number in range(20)]
    for _ in range(2):
        for number, some in enumerate(kept):
            assert msgspec.json.decode(listing(some)) == [f"m{number}"]


def test_cards_that_are_gone_leave_nothing_to_those_that_come_after_them() -> None:
    listing = EncodedListing(lambda listed: [card.name for card in listed])
    for number in range(200):
        assert listing(cards(f"m{number}")) == f'["m{number}"]'.encode()

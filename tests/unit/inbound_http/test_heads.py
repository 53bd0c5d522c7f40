"""What the head of an answer tells, and that nothing foreign gets into it."""

import pytest

from relay.adapters.inbound.http.asgi import fields_of
from relay.adapters.inbound.http.heads import MAX_VALUE_CHARACTERS, Telling, header_value
from relay.application.ports import ReplyHead


def telling(*times: float) -> Telling:
    left = list(times)
    told = Telling("r1", lambda: left.pop(0), 10.0)
    told.received_s = 10.002
    return told


def head(**changes: object) -> ReplyHead:
    values = {"provider": "up", "model": "m", "resolved_by": "prefix", "attempts": 2} | changes
    return ReplyHead(**values)  # type: ignore[arg-type] # the changes are given by name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gpt-5-mini", b"gpt-5-mini"),
        ("a/b:c@d,e;f=g+h._", b"a/b:c@d,e;f=g+h._"),
        ("x\r\nset-cookie: a=b", b"x__set-cookie:_a=b"),
        ("Modèle 7", b"Mod_le_7"),
        ("\x00\x1f\x7f\u2028", b"____"),
        ("", b""),
    ],
)
def test_a_header_value_has_harmless_characters_only(text: str, value: bytes) -> None:
    assert header_value(text) == value


def test_a_header_value_is_bounded() -> None:
    assert len(header_value("x" * 100_000)) == MAX_VALUE_CHARACTERS


def test_before_an_attempt_only_the_request_is_named() -> None:
    lines = telling(10.01).lines("a/b", total=False)
    assert lines.startswith(b"content-type: a/b\r\nx-request-id: r1\r\nserver-timing: ")


def test_the_last_attempt_prepared_is_told() -> None:
    told = telling(10.0, 10.0)
    told.prepare(head(attempts=1))
    told.prepare(head(provider="other", attempts=2, losses=("top_k", "min_p")))
    assert dict(fields_of(told.attempt_lines())) == {
        b"x-relay-provider": b"other",
        b"x-relay-model": b"m",
        b"x-relay-resolved-by": b"prefix",
        b"x-relay-attempts": b"2",
        b"x-relay-losses": b"top_k,min_p",
    }


def test_a_header_that_was_not_prepared_with_losses_has_none() -> None:
    told = telling(10.0)
    told.prepare(head())
    assert b"x-relay-losses" not in dict(fields_of(told.attempt_lines()))


def test_the_phases_up_to_the_first_byte_add_up() -> None:
    told = telling(10.005, 10.105)
    told.prepare(head())
    assert told.timing_line(total=False) == (
        b"server-timing: receive;dur=2.0, relay;dur=3.0, upstream;dur=100.0\r\n"
    )


def test_the_first_attempt_starts_the_upstream_phase() -> None:
    told = telling(10.005, 10.105)
    told.prepare(head(attempts=1))
    told.prepare(head(attempts=2))
    assert told.timing_line(total=True).endswith(b"upstream;dur=100.0, total;dur=105.0\r\n")


def test_without_an_attempt_all_the_time_is_the_relays() -> None:
    line = telling(10.01).timing_line(total=False)
    assert line == b"server-timing: receive;dur=2.0, relay;dur=8.0, upstream;dur=0.0\r\n"

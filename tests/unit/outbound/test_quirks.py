"""Edits at the top level of a request body."""

import msgspec
import pytest

from relay.adapters.outbound.providers.quirks import NO_QUIRKS, Quirks, apply, with_system_prompt
from relay.domain.chat import ChatRequest, Message, Role, Text


def test_without_quirks_the_body_stays_the_very_same_bytes() -> None:
    body = b'{ "b":1.0,\n"a" : 1e3 }'
    assert apply(body, (NO_QUIRKS, Quirks(system_prompt="x"))) == (body, ())


def test_untouched_members_keep_their_order_and_spelling() -> None:
    body = b'{"model":"m","t":1.50,"max_tokens":5,"x":{"n":1e3,"o":[ 1 ]}}'
    edited, losses = apply(body, (Quirks(rename={"max_tokens": "max_completion_tokens"}),))
    assert edited == b'{"model":"m","t":1.50,"x":{"n":1e3,"o":[ 1 ]},"max_completion_tokens":5}'
    assert losses == ()


def test_of_both_names_of_a_field_the_providers_own_counts() -> None:
    body = b'{"max_tokens":5,"max_completion_tokens":7}'
    edited, _ = apply(body, (Quirks(rename={"max_tokens": "max_completion_tokens"}),))
    assert edited == b'{"max_completion_tokens":7}'


def test_a_dropped_field_is_a_loss_and_one_that_said_nothing_is_not() -> None:
    body = b'{"logit_bias":{"1":2},"user":null,"stop":"x"}'
    edited, losses = apply(body, (Quirks(drop=("logit_bias", "user", "absent")),))
    assert edited == b'{"stop":"x"}'
    assert losses == ("logit_bias",)


def test_what_the_relay_put_there_itself_is_no_loss() -> None:
    body = b'{"stream_options":{"include_usage":true},"n":1}'
    assert apply(body, (Quirks(drop=("stream_options", "n")),)) == (b"{}", ("n",))


def test_a_default_is_set_only_when_the_field_is_absent() -> None:
    quirks = Quirks(set_default={"reasoning_format": "parsed", "extra": {"a": [1, None]}})
    assert apply(b"{}", (quirks,))[0] == b'{"reasoning_format":"parsed","extra":{"a":[1,null]}}'
    assert apply(b'{"reasoning_format":"raw","extra":null}', (quirks,))[0] == (
        b'{"reasoning_format":"raw","extra":null}'
    )


VALUES = Quirks(value_map={"effort": {"minimal": "low", "none": {"thinking": {"type": "disabled"}}}})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"effort":"minimal"}', b'{"effort":"low"}'),
        (b'{"effort":"none"}', b'{"thinking":{"type":"disabled"}}'),
        (b'{"effort":"none","thinking":{"type":"enabled"}}', b'{"thinking":{"type":"enabled"}}'),
        (b'{"effort":"high"}', b'{"effort":"high"}'),
        (b'{"effort":3}', b'{"effort":3}'),
        (b'{"effort":null}', b'{"effort":null}'),
        (b'{"effort":["none"]}', b'{"effort":["none"]}'),
        (b'{"effort":"m\\u0069nimal"}', b'{"effort":"low"}'),
    ],
)
def test_a_text_is_said_otherwise(body: bytes, expected: bytes) -> None:
    assert apply(body, (VALUES,)) == (expected, ())


def test_edits_follow_one_another_so_that_a_renamed_field_can_be_dropped() -> None:
    first = Quirks(rename={"seed": "random_seed"})
    assert apply(b'{"seed":1}', (first, Quirks(drop=("random_seed",)))) == (b"{}", ("random_seed",))


def test_a_loss_is_told_once() -> None:
    assert apply(b'{"a":1}', (Quirks(drop=("a",)), Quirks(drop=("a",)))) == (b"{}", ("a",))


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="renam"):
        msgspec.convert({"renam": {"a": "b"}}, Quirks)


def request(*roles: Role) -> ChatRequest:
    return ChatRequest(
        model="m", messages=tuple(Message(role=role, parts=(Text(text=role),)) for role in roles)
    )


def test_a_system_prompt_comes_first_when_there_is_none() -> None:
    added = with_system_prompt(request("user", "assistant", "user"), "be brief")
    assert [message.role for message in added.messages] == ["system", "user", "assistant", "user"]
    assert added.messages[0].parts == (Text(text="be brief"),)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_conversation_with_instructions_is_left_alone(role: Role) -> None:
    own = request("user", role, "user")
    assert with_system_prompt(own, "be brief") is own

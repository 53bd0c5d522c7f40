"""Seals of reasoning on the wire: OpenAI's own as it is, those of other dialects in an envelope of the relay's.

A client of this dialect sends `encrypted_content` back as it got it, so what Anthropic or Gemini want to see again
can travel in it. The envelope names whose seal it holds; nobody else is sent it. It is not encrypted: signatures
and sealed reasoning already are, by those who made them, and a client that alters one has it refused there.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import get_args

import msgspec

from relay.domain.chat import ChatDialectName, DialectName, Thinking

MARK = "relay1:"
"""How an envelope begins."""

_ORIGINS: dict[str, DialectName] = {name: name for name in get_args(ChatDialectName.__value__)}


class _Envelope(msgspec.Struct, omit_defaults=True):
    signature: str = ""
    sealed: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Envelope)


def opening(own: DialectName, origin: DialectName | None) -> str | None:
    """What tells at the beginning of reasoning, before there is a seal, that it is not `own`."""
    return f"{MARK}{origin}:" if origin not in (own, None) else None


def written(own: DialectName, thinking: Thinking) -> str | None:
    """The seal as a client gets it; `None` where there is none, or nobody to know it again."""
    if thinking.origin is None:
        return None
    if thinking.origin == own and not thinking.signature:
        return thinking.sealed or None
    if not (thinking.signature or thinking.sealed):
        return opening(own, thinking.origin)
    envelope = _Envelope(thinking.signature, thinking.sealed)
    packed = urlsafe_b64encode(_encoder.encode(envelope)).decode()
    return f"{MARK}{thinking.origin}:{packed}"


def origin_of(own: DialectName, encrypted: str) -> DialectName | None:
    """Whose seal this is."""
    if not encrypted.startswith(MARK):
        return own
    return _ORIGINS.get(encrypted.removeprefix(MARK).partition(":")[0])


def read(encrypted: str) -> tuple[str, str]:
    """The signature and the sealed reasoning in it, either of them empty; an envelope that is broken has none."""
    if not encrypted.startswith(MARK):
        return "", encrypted
    _, _, packed = encrypted.removeprefix(MARK).partition(":")
    if not packed:
        return "", ""
    try:
        envelope = _decoder.decode(urlsafe_b64decode(packed.encode()))
    except (ValueError, msgspec.MsgspecError):
        return "", ""
    return envelope.signature, envelope.sealed

"""From a provider's status and words to the error taxonomy: one rule for error replies and in-stream errors."""

import re

from relay.domain.errors import (
    BadCredential,
    Limited,
    Overloaded,
    Rejected,
    UpstreamError,
)

MAX_MESSAGE_CHARACTERS = 500

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_OUT_OF_MONEY = frozenset({"insufficient_quota", "credit_balance_exhausted", "enforced_spend_limit_reached"})
_BAD_KEYS = frozenset({"invalid_api_key", "API_KEY_INVALID"})
_POLICY = frozenset({"content_policy_violation", "content_filter", "refusal", "moderation"})
"""Reasons that a provider's 403 may have beside the relay's own credential: the caller's words."""

_TOO_LONG = "context_length_exceeded"
_TOO_LONG_CODES = frozenset(
    {"context_length_exceeded", "TOO_MANY_TOKENS", "too_many_prompt_tokens", "token_limit_exceeded"}
)
_TOO_LONG_WORDS = re.compile(
    r"(?i)context (?:length|window|size)|maximum (?:context|prompt) length|(?:prompt|input) is too long|"
    r"too many (?:input |prompt )?tokens|exceeds? the (?:model's )?(?:maximum|max) (?:number of )?(?:input )?tokens"
)
"""Most providers say it in words alone; clients that shorten a conversation look for OpenAI's code."""


def upstream_failure(
    status: int, message: str = "", code: str = "", *, retry_after_s: float | None = None
) -> UpstreamError:
    """The failure that `status` and the provider's own `code` stand for.

    `message` is the provider's text and therefore content: it is shortened and freed of control characters,
    and shown only for failures that the caller can act on, never for those of the relay's own credential.
    """
    failure = _classified(status, _clean(message), code, retry_after_s)
    failure.provider_status = status
    return failure


def _classified(status: int, text: str, code: str, retry_after_s: float | None) -> UpstreamError:
    match status:
        case 401 | 403 | 400 if _is_about_the_key(status, code):
            return BadCredential(f"the provider refused the relay's credential (status {status})")
        case 402:
            return Limited("the provider wants payment", code="insufficient_quota")
        case 429:
            limited = Limited(text or "the provider's rate limit is reached", retry_after_s=retry_after_s)
            if code in _OUT_OF_MONEY:
                limited.code = "insufficient_quota"
            return limited
        case 408 | 409 | 425 | 498 | 499:
            return Overloaded(text or f"the provider answered {status}", retry_after_s=retry_after_s)
        case _ if 400 <= status < 500:
            return _rejected(status, text, code)
        case _:
            failed = Overloaded(text or f"the provider failed ({status})", retry_after_s=retry_after_s)
            if status == 502:  # what is behind the provider cannot be reached; it itself is not overloaded
                failed.status = status
            return failed


def _is_about_the_key(status: int, code: str) -> bool:
    """Nearly always; but a wrong key may be a 400, and a 403 may be about the caller's words."""
    return code in _BAD_KEYS if status == 400 else not (status == 403 and code in _POLICY)


def _rejected(status: int, text: str, code: str) -> Rejected:
    if status == 403:
        return Rejected(text or "the provider's policy forbids this", code="content_policy_violation")
    rejected = Rejected(text or f"the provider refused the request ({status})", status=status)
    if code in _TOO_LONG_CODES or (status in (400, 413, 422) and _TOO_LONG_WORDS.search(text)):
        rejected.code = _TOO_LONG
    elif _CODE.fullmatch(code):
        rejected.code = code
    return rejected


def _clean(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:MAX_MESSAGE_CHARACTERS]

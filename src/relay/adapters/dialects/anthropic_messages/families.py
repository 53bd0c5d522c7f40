"""What is known of Claude's families and must be known to write a request at all; the rest is the provider's row.

From https://docs.anthropic.com/en/docs/about-claude/models; the first glob that fits counts.
"""

from fnmatch import fnmatchcase

DEFAULT_MAX_TOKENS: tuple[tuple[str, int], ...] = (
    ("*claude-3-5-*", 8192),
    ("*claude-3-7-*", 16_384),
    ("*claude-3-*", 4096),
    ("*claude-*", 16_384),
    ("*", 8192),
)
"""The limit of a request that names none, as the API wants one: enough for an answer, and no model has less."""

TAKES_SYSTEM_MESSAGES = ("*claude-*-5", "*claude-*-5-*")
"""Families that take instructions in the middle of a conversation; to others they are what a user says."""

_NOT_FIFTH = ("*claude-3-5*", "*claude-*-4-5*")


def default_max_tokens(model: str) -> int:
    """The limit for a request that names none."""
    name = model.lower()
    return next(limit for pattern, limit in DEFAULT_MAX_TOKENS if fnmatchcase(name, pattern))


def takes_system_messages(model: str) -> bool:
    """Whether a system message may stand behind others."""
    name = model.lower()
    is_named = any(fnmatchcase(name, pattern) for pattern in TAKES_SYSTEM_MESSAGES)
    return is_named and not any(fnmatchcase(name, pattern) for pattern in _NOT_FIFTH)

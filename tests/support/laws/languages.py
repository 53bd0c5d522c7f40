"""Every dialect of the registry with its declared poverty: a new dialect is put to the laws by being registered."""

from importlib import import_module

from relay.adapters.dialects.base import Dialect
from relay.adapters.dialects.registry import DIALECTS
from tests.support.laws.language import Language


def language_of(dialect: Dialect, package: str) -> Language:
    """A dialect with the norms that its package declares."""
    norm = import_module(f"{package}.norm")
    return Language(dialect=dialect, norm=norm.norm, norm_request=norm.norm_request)


def package_of(dialect: Dialect) -> str:
    """Where a dialect's codec lives: `openai.chat` in `openai_chat`."""
    return f"relay.adapters.dialects.{dialect.name.replace('.', '_')}"


LANGUAGES = tuple(language_of(dialect, package_of(dialect)) for dialect in DIALECTS.values())

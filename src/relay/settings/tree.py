"""Everything that can be configured, as one frozen tree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from relay.domain.catalog import Alias, Pool, Redirect, VirtualModel

DEFAULT_PORT = 11434

type Text = Annotated[str, msgspec.Meta(min_length=1)]
type Flags = Mapping[str, Mapping[str, object]]
"""What the command line says: `{section: {key: value}}`."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[server]`: the API listener.

    `origins` are pages that may call it from a browser, and `hosts` names it may be called by, besides those that
    always may. Of more than `max_in_flight` requests at a time the rest are told to come again. With
    `keep_thoughts`, what models thought before they called tools is kept in memory for a while, for clients that
    cannot carry it; with `keep_responses`, answers of Responses that clients want to go on from.
    """

    host: Text = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = DEFAULT_PORT
    default_model: Text | None = None
    origins: tuple[Text, ...] = ()
    hosts: tuple[Text, ...] = ()
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 256
    keep_thoughts: bool = True
    keep_responses: bool = True


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[auth]`: who may call."""

    mode: Literal["auto", "open", "keys"] = "auto"


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[database]`: where the books are."""

    url: Text = "sqlite:///relay.db"

    @property
    def path(self) -> Path:
        """The SQLite file; `sqlite:///x` is relative, `sqlite:////x` absolute."""
        return Path(self.url.removeprefix("sqlite:///"))


class PoolTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a pool's `targets`."""

    model: Text


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[models.NAME]`: a virtual model; exactly one of `target`, `redirect` and `targets`."""

    target: Text | None = None
    redirect: Text | None = None
    targets: tuple[PoolTarget, ...] | None = None
    policy: Literal["ordered"] | None = None
    tags: tuple[str, ...] = ()
    description: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration.

    `source` is the file it was read from, if any, and `flags` what the command line said. `providers` and
    `overrides` are the sections as written: what they may hold is the provider catalog's to say.
    """

    server: Server = Server()
    auth: Auth = Auth()
    database: Database = Database()
    providers: Mapping[str, Mapping[str, object]] = {}
    models: Mapping[str, Model] = {}
    overrides: Mapping[str, Mapping[str, object]] = {}
    source: Path | None = None
    flags: Flags = {}

    def virtual_models(self) -> tuple[VirtualModel, ...]:
        """The virtual models as the catalog holds them."""
        return tuple(virtual(name, model) for name, model in self.models.items())

    def __repr__(self) -> str:
        return f"Settings(source={self.source!r})"  # a provider's section may hold a key


SECTIONS: Mapping[str, type[Server | Auth | Database]] = {
    "server": Server,
    "auth": Auth,
    "database": Database,
}
"""The sections whose keys are fixed."""

NAMED_SECTIONS = ("providers", "models", "overrides")
"""The sections that hold tables under names of the user's own."""

LATER_SECTIONS: Mapping[str, str] = {
    "admin": "the admin pages",
    "budgets": "budgets",
}
"""Sections of the design whose feature is not in this version: refused by name, so that nothing is ignored."""

LATER_KEYS: Mapping[type[msgspec.Struct], Mapping[str, str]] = {
    Model: dict.fromkeys(
        ("designator", "candidates", "purpose", "strategy", "session_ttl", "fallback"), "smart routers"
    ),
    PoolTarget: {"weight": "weighted pools"},
}
"""The same for keys."""

LATER_WORDS: Mapping[str, str] = {
    "weighted": "weighted pools",
    "lowest_cost": "pools by cost",
    "lowest_latency": "pools by latency",
}
"""The same for values of `policy`."""


def virtual(name: str, model: Model) -> VirtualModel:
    """A virtual model as the catalog holds it."""
    if model.redirect is not None:
        return Redirect(name=name, target=model.redirect)
    if model.target is not None:
        return Alias(name=name, target=model.target, tags=model.tags, description=model.description)
    names = tuple(target.model for target in model.targets or ())
    return Pool(name=name, targets=names, tags=model.tags, description=model.description)

"""Everything that can be configured, as one frozen tree: defaults < relay.toml < environment < flags.

Nothing is read and ignored: an unknown key, a wrong value and a section whose feature is not there are refused
with file, line, key and, where one is near, a suggestion.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from relay.domain.catalog import Alias, Pool, Redirect, VirtualModel
from relay.domain.names import normalise
from relay.toml_position import line_of

DEFAULT_PORT = 11434

_LATER = {
    "admin": "the admin pages",
    "overrides": "model overrides",
    "budgets": "budgets",
    "designator": "smart routers",
    "candidates": "smart routers",
    "purpose": "smart routers",
    "strategy": "smart routers",
    "session_ttl": "smart routers",
    "fallback": "smart routers",
    "weight": "weighted pools",
}
"""Keys of the design whose feature is not in this version: refused by name, so that nothing is ignored."""


_HINTS = {
    "url": 'must be "sqlite:///PATH": this version keeps its books in SQLite',
}


class ConfigurationError(Exception):
    """The configuration cannot be used. `str()` is the whole sentence, with file, line and key where known."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[server]`: the API listener."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = DEFAULT_PORT
    default_model: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[auth]`: who may call."""

    mode: Literal["auto", "open", "keys"] = "auto"


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[database]`: where the books are."""

    url: Annotated[str, msgspec.Meta(pattern="^sqlite:///.+")] = "sqlite:///relay.db"

    @property
    def path(self) -> Path:
        """The SQLite file; `sqlite:///x` is relative, `sqlite:////x` absolute."""
        return Path(self.url.removeprefix("sqlite:///"))


class PoolTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a pool's `targets`."""

    model: Annotated[str, msgspec.Meta(min_length=1)]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[models.NAME]`: a virtual model; exactly one of `target`, `redirect` and `targets`."""

    target: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    redirect: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    targets: tuple[PoolTarget, ...] = ()
    policy: Literal["ordered"] = "ordered"
    tags: tuple[str, ...] = ()
    description: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration.

    `source` is the file it was read from, if any. `providers` are the sections as written: what they may hold is
    the provider catalog's to say.
    """

    server: Server = Server()
    auth: Auth = Auth()
    database: Database = Database()
    providers: Mapping[str, Mapping[str, object]] = {}
    models: Mapping[str, Model] = {}
    source: Path | None = None

    def virtual_models(self) -> tuple[VirtualModel, ...]:
        """The virtual models as the catalog holds them."""
        return tuple(_virtual(name, model) for name, model in self.models.items())

    def refusal(self, path: Sequence[str], reason: str) -> ConfigurationError:
        """The error for a value in the file, of which `reason` says what is wrong."""
        text = _read(self.source) if self.source else ""
        return _Source(str(self.source or "defaults"), text).refuse(path, reason)

    def __repr__(self) -> str:
        return f"Settings(source={self.source!r})"  # a provider's section may hold a key


_SECTIONS = ("server", "auth", "database")
_TABLES = ("providers", "models")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where values came from, for a message: a file's text, or the environment and flags."""

    label: str
    text: str

    def refuse(self, path: Sequence[str], reason: str) -> ConfigurationError:
        *table, key = path
        return ConfigurationError(f"{self.place(path)}: [{'.'.join(table)}] {key}: {reason}")

    def refuse_table(self, path: Sequence[str], reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self.place(path)}: [{'.'.join(path)}]: {reason}")

    def place(self, path: Sequence[str]) -> str:
        line = line_of(self.text, path)
        return f"{self.label}:{line}" if line else self.label


def search_path(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where relay.toml is looked for when no flag names it, first match wins."""
    named = environment.get("RELAY_CONFIG")
    if named:
        return (Path(named),)
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return (Path("relay.toml"), user / "relay" / "relay.toml", Path("/etc/relay/relay.toml"))


def load(
    *,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Mapping[str, object]] | None = None,
    home: Path | None = None,
) -> Settings:
    """The settings in force. `flags` is `{section: {key: value}}`. Raises `ConfigurationError`."""
    path = file or _found(environment, home or Path.home())
    text = _read(path) if path else ""
    source = _Source(str(path) if path else "defaults", text)
    tree = _parsed(text, source)
    _refuse_unknown_sections(tree, source)

    def section[T: msgspec.Struct](name: str, kind: type[T]) -> T:
        in_file = _converted(source, (name,), tree.get(name, {}), kind)
        outer = {**_from_environment(name, kind, environment), **(flags or {}).get(name, {})}
        merged = {**msgspec.structs.asdict(in_file), **outer}
        return _converted(_Source("environment or flags", ""), (name,), merged, kind, strict=False)

    models = _named(source, "models", tree.get("models", {}))
    providers = _named(source, "providers", tree.get("providers", {}))
    settings = Settings(
        server=section("server", Server),
        auth=section("auth", Auth),
        database=section("database", Database),
        models={name: _converted(source, ("models", name), table, Model) for name, table in models.items()},
        providers=providers,
        source=path,
    )
    _check_models(settings, source)
    return settings


def _found(environment: Mapping[str, str], home: Path) -> Path | None:
    candidates = search_path(environment, home)
    if environment.get("RELAY_CONFIG"):
        return candidates[0]
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def _parsed(text: str, source: _Source) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = line_of_error(str(error))
        place = f"{source.label}:{found}" if found else source.label
        raise ConfigurationError(f"{place}: not valid TOML: {error}") from None


def line_of_error(message: str) -> str:
    """The line that tomllib's message names, if it names one."""
    _, marker, rest = message.partition("at line ")
    return rest.split(",")[0] if marker else ""


def _refuse_unknown_sections(tree: Mapping[str, object], source: _Source) -> None:
    for name in tree:
        if name not in _SECTIONS and name not in _TABLES:
            raise source.refuse_table((name,), _unknown(name, (*_SECTIONS, *_TABLES)))


def _named(source: _Source, section: str, tree: object) -> dict[str, dict[str, object]]:
    if not isinstance(tree, dict):
        raise source.refuse_table((section,), "must be a table of tables")
    for name, table in tree.items():
        if not isinstance(table, dict):
            raise source.refuse((section, name), "must be a table")
    return tree


def _converted[T: msgspec.Struct](
    source: _Source, path: tuple[str, ...], value: object, kind: type[T], *, strict: bool = True
) -> T:
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _refusal(source, path, kind, str(error)) from None


def _refusal(
    source: _Source, path: tuple[str, ...], kind: type[msgspec.Struct], message: str
) -> ConfigurationError:
    reason, _, place = message.partition(" - at `$")
    inner = [part for part in place.rstrip("`").replace("[", ".[").split(".") if part and "[" not in part]
    if "unknown field" in reason:
        key = reason.split("`")[1]
        return source.refuse((*path, *inner, key), _unknown(key, kind.__struct_fields__))
    if "missing required field" in reason:
        return source.refuse((*path, reason.split("`")[1]), "is missing")
    if not inner:
        return source.refuse_table(path, reason[:1].lower() + reason[1:])
    return source.refuse((*path, *inner), _HINTS.get(inner[-1], "") or reason[:1].lower() + reason[1:])


def _unknown(key: str, known: Sequence[str]) -> str:
    if feature := _LATER.get(key):
        return f"not in this version: {feature}"
    near = get_close_matches(key, (*known, *_LATER), 1, 0.5)
    if not near:
        return f"unknown key. Known: {', '.join(known)}"
    later = f" That is not in this version: {_LATER[near[0]]}." if near[0] in _LATER else ""
    return f'unknown key. Did you mean "{near[0]}"?{later}'


def _from_environment(
    section: str, kind: type[msgspec.Struct], environment: Mapping[str, str]
) -> dict[str, object]:
    """`RELAY_<SECTION>_<KEY>`, and `DATABASE_URL`; an unknown key of a known section is refused."""
    values: dict[str, object] = {}
    if section == "database" and environment.get("DATABASE_URL"):
        values["url"] = environment["DATABASE_URL"]
    prefix = f"RELAY_{section.upper()}_"
    for name, value in environment.items():
        if name.startswith(prefix):
            key = name.removeprefix(prefix).lower()
            if key not in kind.__struct_fields__:
                raise ConfigurationError(f"environment: {name}: {_unknown(key, kind.__struct_fields__)}")
            values[key] = value
    return values


def _virtual(name: str, model: Model) -> VirtualModel:
    if model.redirect is not None:
        return Redirect(name=name, target=model.redirect)
    if model.target is not None:
        return Alias(name=name, target=model.target, tags=model.tags, description=model.description)
    names = tuple(target.model for target in model.targets)
    return Pool(name=name, targets=names, tags=model.tags, description=model.description)


def _check_models(settings: Settings, source: _Source) -> None:
    seen: dict[str, str] = {}
    for name, model in settings.models.items():
        given = [key for key in ("target", "redirect", "targets") if getattr(model, key)]
        path = ("models", name)
        if len(given) != 1:
            raise source.refuse_table(path, "needs exactly one of target, redirect and targets")
        if "*" in name and not (model.redirect and name.count("*") == 1):
            raise source.refuse_table(path, "only a redirect's name may carry *, and only one")
        if "@" in name:
            raise source.refuse_table(path, 'a name may not hold "@": it begins tags')
        other = seen.setdefault(normalise(name), name)
        if other != name:
            raise source.refuse_table(path, f'is the same name as "{other}"')
    _refuse_loops(settings, source)


def _refuse_loops(settings: Settings, source: _Source) -> None:
    follows = {normalise(virtual.name): virtual for virtual in settings.virtual_models()}
    for name in settings.models:
        met, pending = set[str](), [normalise(name)]
        while pending:
            virtual = follows.get(pending.pop())
            targets = () if virtual is None else _targets(virtual)
            for target in targets:
                if target == normalise(name):
                    raise source.refuse_table(("models", name), "leads back to itself")
                if target not in met:
                    met.add(target)
                    pending.append(target)


def _targets(virtual: VirtualModel) -> tuple[str, ...]:
    match virtual:
        case Alias(target=target) | Redirect(target=target):
            return (normalise(target),)
        case Pool(targets=targets):
            return tuple(normalise(target) for target in targets)
        case _:
            return ()

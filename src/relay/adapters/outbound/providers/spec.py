"""What a provider is: a row of the built-in catalog, under the fields of its section in relay.toml.

`configured` reads a section, `found_in_environment` the providers whose conventional variables are set.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from relay.adapters.outbound.http.interface import DEFAULT_TIMEOUTS, ClientName, Timeouts
from relay.adapters.outbound.http.request_head import is_callers_field
from relay.adapters.outbound.providers.choosing_backend import ResponsesModels
from relay.adapters.outbound.providers.quirks import NO_QUIRKS, Quirks
from relay.adapters.outbound.secrets import Secret
from relay.application.ports import OnDisconnect
from relay.domain.chat import ChatDialectName, CompletionDialectName
from relay.domain.embeddings import EmbeddingDialectName
from relay.domain.services import ServiceName

type Discovery = Literal[
    "openai.models",
    "openrouter.models",
    "mistral.models",
    "together.models",
    "fireworks.models",
    "cerebras.models",
    "anthropic.models",
    "gemini.models",
    "cohere.models",
    "ollama.tags",
]

OLLAMA_PORT = 11434

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]+)`")
_PLACE = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`")
_INDEX = re.compile(r"\[[^\]]*\]")


class SpecError(ValueError):
    """A provider's section cannot be used; `key` is the field at fault, dotted, relative to the section."""

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class Auth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the key is sent: as a bearer token, in a header of its own, or not at all."""

    scheme: Literal["bearer", "header", "none"] = "bearer"
    header: str = ""
    required: bool = True


class ServiceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service of a provider: its path below the address, and globs of the models known to have it."""

    path: str
    models: tuple[str, ...] = ()


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. The fields are those of catalog.toml; `name` is the prefix clients use.

    `api_key` refers to the key or is it; `models`, when given, takes the place of discovery. `headers` go with each
    request; they are no place for a key, which is never shown. `overrides` are profiles from sections of their own.
    `manage` lets keys of admin scope change its models. `http_client` says what carries its calls.
    """

    name: str
    kind: str
    title: str
    base_url: str
    dialect: ChatDialectName
    path: str = ""
    responses: ResponsesModels | None = None
    completions: CompletionDialectName | Literal[""] = ""
    discovery: Discovery
    auth: Auth = Auth()
    headers: dict[str, str] = {}
    env: str = ""
    env_too: str = ""
    api_key: Secret | None = None
    models: tuple[str, ...] = ()
    models_path: str = ""
    embedding_models_path: str = ""
    not_chat: tuple[str, ...] = ()
    embeddings: tuple[EmbeddingDialectName, ...] = ()
    embedding_models: tuple[str, ...] = ()
    services: dict[ServiceName, ServiceEntry] = {}
    pass_through: bool = False
    on_disconnect: OnDisconnect = "cancel"
    quirks: Quirks = NO_QUIRKS
    profiles: dict[str, Quirks] = {}
    overrides: tuple[tuple[str, Quirks], ...] = ()
    embedding_quirks: Quirks = NO_QUIRKS
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 256
    manage: bool = False
    http_client: ClientName = "relay"

    @property
    def key_names(self) -> tuple[str, ...]:
        """The variables its key is conventionally in."""
        return tuple(f"{prefix}_API_KEY" for prefix in (self.env, self.env_too) if prefix)


type Address = tuple[str, int]
"""A host and a port the relay itself listens on."""


def kinds() -> tuple[str, ...]:
    """The kinds that are built in."""
    return tuple(_rows())


def configured(
    name: str,
    section: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    listening: Iterable[Address] = (),
) -> ProviderSpec:
    """The provider that a `[providers.NAME]` section describes. Raises `SpecError`.

    A field the section leaves out is the row's; an address it leaves out may be moved by `<env>_BASE_URL`, that
    of an Ollama by `OLLAMA_HOST`. `listening` are the relay's own addresses: clients are pointed at the relay by
    the same variables, and a relay must not call itself.
    """
    if _NAME.fullmatch(name) is None:
        raise SpecError("a provider's name is letters, digits, '.', '_' and '-', at most 64 of them")
    kind = section.get("kind", name)
    row = _rows().get(kind) if isinstance(kind, str) else None
    if row is None:
        raise SpecError(f"unknown kind {kind!r}; known are {', '.join(_rows())}", key="kind")
    if "name" in section:
        raise SpecError("unknown key: the section's own name is the provider's", key="name")
    if "overrides" in section:
        raise SpecError("unknown key: overrides are sections of their own", key="overrides")
    own = tuple(listening)
    fields = {**row, **_moved(row, environ, own), **section, "name": name, "kind": kind}
    for table in ("quirks", "profiles", "embedding_quirks", "auth", "headers", "services"):
        ours, theirs = row.get(table), section.get(table)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            fields[table] = {**ours, **theirs}
    spec = _checked(_converted(fields))
    if _is_own(spec.base_url, own):
        raise SpecError("this is the relay's own address: where does the provider listen?", key="base_url")
    return spec


def by_responses(spec: ProviderSpec) -> ProviderSpec:
    """The same provider as it is called by Responses: what its models take there says OpenAI's row for that."""
    row = configured("openai-responses", {}, {})
    return msgspec.structs.replace(
        spec,
        dialect=row.dialect,
        completions="",
        pass_through=row.pass_through,
        quirks=row.quirks,
        profiles=row.profiles,
        responses=None,
    )


def found_in_environment(
    environ: Mapping[str, str], *, listening: Iterable[Address] = ()
) -> tuple[ProviderSpec, ...]:
    """The providers whose key is set under its conventional name, and the Ollama that `OLLAMA_HOST` names.

    Raises `SpecError` when a variable holds no usable address.
    """
    own = tuple(listening)
    found = [
        configured(kind, {}, environ, listening=own)
        for kind, row in _rows().items()
        if any(
            environ.get(f"{row[prefix]}_{ending}", "").strip()
            for prefix in ("env", "env_too")
            for ending in ("API_KEY", "API_KEY_FILE")
            if prefix in row
        )
    ]
    if _moved(_rows()["ollama"], environ, own):
        found.append(configured("ollama", {}, environ, listening=own))
    return tuple(found)


def ollama_url(host: str) -> str:
    """The address that a value of `OLLAMA_HOST` means, in any of its spellings.

    As Ollama's own clients read it: the port is 11434 unless a scheme is given, then that scheme's; an address
    that means every interface is reached through loopback.
    """
    text = host.strip().strip("\"'")
    scheme, given, rest = text.partition("://")
    if not given:
        scheme, rest = "http", text
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"
    name, port = _host_and_port(place)
    if not port:
        port = str(OLLAMA_PORT) if not given else {"http": "80", "https": "443"}.get(scheme, "")
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(name, name)  # noqa: S104
    return f"{scheme}://{name}:{port}{slash}{path}".rstrip("/")


@cache
def _rows() -> Mapping[str, Mapping[str, object]]:
    return tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))


def _moved(
    row: Mapping[str, object], environ: Mapping[str, str], own: tuple[Address, ...]
) -> dict[str, object]:
    """The address that the environment gives a kind, if it gives one that is not the relay's own."""
    url = environ.get(f"{row['env']}_BASE_URL", "").strip() if "env" in row else ""
    if row["discovery"] == "ollama.tags" and (host := environ.get("OLLAMA_HOST", "").strip()):
        url = ollama_url(host)
    return {"base_url": url} if url and not _is_own(url, own) else {}


def _is_own(url: str, own: tuple[Address, ...]) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return False
    return any(port == own_port and _same_host(host, own_host) for own_host, own_port in own)


def _same_host(one: str, other: str) -> bool:
    loopback = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "::", ""}  # noqa: S104
    return one == other or (one in loopback and other.strip("[]") in loopback)


def _host_and_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        name, _, rest = place.partition("]")
        return f"{name}]", rest.removeprefix(":")
    name, _, port = place.partition(":")
    return name, port


def _converted(fields: Mapping[str, object]) -> ProviderSpec:
    try:
        return msgspec.convert(fields, ProviderSpec, dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None


def _secret(wanted: type, value: object) -> object:
    if wanted is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")


def _explained(text: str) -> SpecError:
    place = _INDEX.sub("", match[1]) if (match := _PLACE.search(text)) else ""
    message = _PLACE.sub("", text)
    if (unknown := _UNKNOWN_FIELD.search(text)) is not None:
        key = ".".join(filter(None, (place, unknown[1])))
        near = get_close_matches(unknown[1], _fields_at(place), 1)
        return SpecError(f"unknown key{f'; did you mean {near[0]!r}?' if near else ''}", key=key)
    missing = re.search(r"missing required field `base_url`", text)
    return SpecError("an address is needed" if missing else message, key="base_url" if missing else place)


def _fields_at(place: str) -> tuple[str, ...]:
    tables = {"": ProviderSpec, "quirks": Quirks, "auth": Auth, "timeouts": Timeouts}
    struct = tables.get(place, Quirks)
    return struct.__struct_fields__


def _checked(spec: ProviderSpec) -> ProviderSpec:
    if spec.auth.scheme == "header" and not spec.auth.header:
        raise SpecError("a header's name is needed", key="auth.header")
    if spec.auth.header and not is_callers_field(spec.auth.header):
        raise SpecError("not the name of a header that can hold a key", key="auth.header")
    for name, value in spec.headers.items():
        if not is_callers_field(name):
            raise SpecError("not the name of a header that can be set", key=f"headers.{name}")
        if not (value.isascii() and value.isprintable()):
            raise SpecError("not a value that a header can have", key=f"headers.{name}")
    if any(not model.strip() for model in spec.models):
        raise SpecError("a model's name is empty", key="models")
    if spec.manage and spec.kind != "ollama":
        raise SpecError("only a provider of the kind ollama can be managed", key="manage")
    return msgspec.structs.replace(spec, base_url=_checked_url(spec.base_url))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise SpecError("not an address", key="base_url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise SpecError("an address begins with http:// or https:// and names a host", key="base_url")
    if "@" in parts.netloc:
        raise SpecError("an address holds no credentials: use api_key", key="base_url")
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
        raise SpecError("an address has neither query, fragment nor blanks", key="base_url")
    return url.strip().rstrip("/")

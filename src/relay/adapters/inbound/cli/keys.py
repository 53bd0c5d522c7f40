"""`relay keys`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import rich_click as click

from relay.adapters.inbound.cli.refusal import Refused
from relay.adapters.inbound.cli.session import print_json, print_table, programs, settings
from relay.domain.keys import KeyRecord

WRONG_USAGE = 2

_DAYS = re.compile(r"^([1-9][0-9]{0,4})d$")
_MS_PER_DAY = 86_400_000
_COLUMNS = ("name", "id", "state", "created", "expires", "admin", "tags", "models")


@click.group("keys")
def command() -> None:
    """Create, list and revoke the relay's own API keys."""


@command.command("create")
@click.argument("name")
@click.option("--tag", "tags", multiple=True, metavar="KEY:VALUE", help="Bound to every request of the key.")
@click.option("--models", multiple=True, metavar="GLOB", help="The names or provider/model ids it may use.")
@click.option("--expires", metavar="90d", help="Days until it ends.")
@click.option("--admin", "is_admin", is_flag=True, help="It may manage the models of an Ollama provider.")
@click.pass_context
def _create(
    ctx: click.Context,
    *,
    name: str,
    tags: tuple[str, ...],
    models: tuple[str, ...],
    expires: str | None,
    is_admin: bool,
) -> None:
    """Create the key NAME and print it: the only time it is shown."""
    expires_ms = programs(ctx).now_ms() + _days(expires) * _MS_PER_DAY if expires else 0
    key = programs(ctx).create_key(
        settings(ctx), name=name, tags=tags, models=models, expires_ms=expires_ms, is_admin=is_admin
    )
    click.echo(key)
    click.echo("Keep it: it is shown only now. Send it as a bearer token.", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _list(ctx: click.Context, as_json: bool) -> None:
    """List the keys, revoked ones included."""
    now_ms = programs(ctx).now_ms()
    documents = [_document(record, now_ms) for record in programs(ctx).list_keys(settings(ctx))]
    if as_json:
        print_json({"items": documents, "next": None})
    elif documents:
        print_table(_COLUMNS, [_row(document) for document in documents])
    else:
        click.echo("no keys", err=True)


@command.command("revoke")
@click.argument("name")
@click.pass_context
def _revoke(ctx: click.Context, name: str) -> None:
    """End the key NAME (or its public id); running servers refuse it within 2 seconds."""
    programs(ctx).revoke_key(settings(ctx), name)
    click.echo(f"revoked {name}", err=True)


def _days(text: str) -> int:
    match = _DAYS.match(text)
    if match is None:
        raise Refused(f"--expires {text}: say a number of days, such as 90d", WRONG_USAGE)
    return int(match[1])


def _state(record: KeyRecord, now_ms: int) -> str:
    if record.revoked_ms:
        return "revoked"
    return "live" if record.is_live(now_ms) else "expired"


def _row(document: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(_cell(document[column]) for column in _COLUMNS)


def _cell(value: object) -> str:
    match value:
        case list():
            return " ".join(map(str, value)) or "-"
        case True:
            return "yes"
        case _:
            return str(value or "-")


def _document(record: KeyRecord, now_ms: int) -> dict[str, object]:
    return {
        "name": record.name,
        "id": record.public_id,
        "state": _state(record, now_ms),
        "created": _rfc3339(record.created_ms),
        "expires": _rfc3339(record.expires_ms),
        "revoked": _rfc3339(record.revoked_ms),
        "admin": record.is_admin,
        "tags": [str(tag) for tag in record.tags],
        "models": list(record.models),
    }


def _rfc3339(unix_ms: int) -> str | None:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if unix_ms else None

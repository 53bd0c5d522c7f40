"""What every command needs: its programs, its settings, and how it prints."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.programs import Programs
from relay.settings import Settings

_PROGRAMS = "relay.programs"


def programs(ctx: click.Context) -> Programs:
    """What the commands run, loaded on first use."""
    load = cast(Callable[[], Programs], ctx.obj)  # click types its context's object as anything
    found = ctx.meta.get(_PROGRAMS)
    return cast(Programs, found) if found else ctx.meta.setdefault(_PROGRAMS, load())


def settings(ctx: click.Context, flags: Mapping[str, Mapping[str, object]] | None = None) -> Settings:
    """The configuration in force for this command."""
    file = cast(Path | None, ctx.meta.get("config"))  # put there by the group
    return programs(ctx).settings(file, flags or {})


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns on standard output, nothing cut."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())

"""`relay models`."""

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.programs import ModelLine
from relay.adapters.inbound.cli.session import print_json, print_table, programs, settings


@click.command("models")
@click.argument("query", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(ctx: click.Context, query: str, as_json: bool) -> None:
    """List the names a caller may use; QUERY keeps those that contain it."""
    lines = [line for line in programs(ctx).models(settings(ctx)) if query.lower() in line.name.lower()]
    if as_json:
        print_json({"items": [msgspec.to_builtins(line) for line in lines], "next": None})
        return
    if not lines:
        click.echo("no models" + (f" match {query!r}" if query else "; no provider is configured"), err=True)
        return
    print_table(("name", "kind", "context", "capabilities"), [_row(line) for line in lines])


def _row(line: ModelLine) -> tuple[str, str, str, str]:
    kind = f"{line.kind} of {line.leads_to}" if line.leads_to else line.kind
    context, words = str(line.context_tokens or "-"), " ".join(line.capabilities) or "-"
    if line.base_context_tokens not in (None, line.context_tokens):
        context += f" (was {line.base_context_tokens or '-'})"
    if line.base_capabilities not in (None, line.capabilities):
        words += f" (was {' '.join(line.base_capabilities or ()) or '-'})"
    return line.name, kind, context, words

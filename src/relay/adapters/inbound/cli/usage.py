"""`relay usage`."""

import re

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.refusal import Refused
from relay.adapters.inbound.cli.session import print_json, print_table, programs, settings
from relay.application.report_usage import MAX_LIMIT, ModelTotals, RequestsQuery, UsageRow

WRONG_USAGE = 2

_SPAN = re.compile(r"^([1-9][0-9]{0,5})([mhd])$")
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TOTALS = ("model", "requests", "attempts", "errors", "tokens in", "tokens out", "not reported")
_REQUESTS = ("at", "outcome", "name asked", "served by", "tokens in", "tokens out", "ms", "key", "tags")


@click.group("usage", invoke_without_command=True)
@click.option("--last", default="30d", show_default=True, metavar="SPAN", help="Such as 90m, 24h, 30d.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(ctx: click.Context, last: str, as_json: bool) -> None:
    """Report what was used: sums by model, or single requests."""
    if ctx.invoked_subcommand is not None:
        return
    totals = programs(ctx).usage_totals(settings(ctx), _since_ms(ctx, last))
    if as_json:
        print_json({"items": [msgspec.to_builtins(line) for line in totals], "next": None})
    elif totals:
        print_table(_TOTALS, [_totals_row(line) for line in totals])
    else:
        click.echo(f"nothing was used in the last {last}", err=True)


@command.command("requests")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--before", default="", metavar="CURSOR", help="The `next` of an earlier page.")
@click.option("--last", default="", metavar="SPAN", help="Such as 90m, 24h, 30d; everything when not given.")
@click.option("--request", "request_id", default="", help="The attempts of one request, by its x-request-id.")
@click.option("--key", default="", help="Of one key, by its name.")
@click.option("--provider", default="")
@click.option("--model", default="")
@click.option("--failed", is_flag=True, help="Only what ended badly.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _requests(ctx: click.Context, /, last: str, as_json: bool, **query: object) -> None:
    """Show the attempts, newest first."""
    since_ms = _since_ms(ctx, last) if last else 0
    page = programs(ctx).requests(
        settings(ctx), msgspec.convert({**query, "since_ms": since_ms}, RequestsQuery)
    )
    if as_json:
        print_json({"items": [msgspec.to_builtins(row) for row in page.items], "next": page.next})
        return
    if not page.items:
        click.echo("no requests", err=True)
        return
    print_table(_REQUESTS, [_request_row(row) for row in page.items])
    if page.next:
        click.echo(f"more: --before {page.next}", err=True)


def _since_ms(ctx: click.Context, span: str) -> int:
    match = _SPAN.match(span)
    if match is None:
        raise Refused(f"--last {span}: say a span such as 90m, 24h or 30d", WRONG_USAGE)
    return programs(ctx).now_ms() - int(match[1]) * _UNIT_MS[match[2]]


def _totals_row(line: ModelTotals) -> tuple[str, ...]:
    counts = (
        line.requests,
        line.attempts,
        line.errors,
        line.input_tokens,
        line.output_tokens,
        line.unreported,
    )
    return (f"{line.provider}/{line.model}", *(_count(count) for count in counts))


def _request_row(row: UsageRow) -> tuple[str, ...]:
    return (
        row.at,
        row.outcome,
        row.name_asked,
        f"{row.provider}/{row.model}",
        _count(row.usage.get("input_tokens")),
        _count(row.usage.get("output_tokens")),
        str(row.duration_ms),
        row.key or "-",
        " ".join(str(tag) for tag in row.tags) or "-",
    )


def _count(count: int | None) -> str:
    """An unknown count is not zero."""
    return "-" if count is None else str(count)

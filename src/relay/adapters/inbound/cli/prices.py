"""`relay prices`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.price_programs import PricePrograms, ReadList
from relay.adapters.inbound.cli.price_tables import change_document, history_rows, quote_document, rate_rows
from relay.adapters.inbound.cli.refusal import NOT_FOUND, WITH_FINDINGS, WRONG_USAGE, Refused
from relay.adapters.inbound.cli.session import print_json, print_table, programs, settings
from relay.domain.money import usd_text
from relay.domain.names import closest
from relay.domain.pricing import PriceSheet, Quote, priced_kind
from relay.domain.pricing.changes import PriceChange
from relay.domain.usage import USAGE_CLASSES, Usage

_UNPRICED_CLASSES = frozenset(
    {"input_text_tokens", "output_text_tokens", "cache_text_read_tokens", "cache_text_write_tokens"}
)
"""What some report besides: text is what is left of the others, and has no price of its own."""


@click.group("prices")
def command() -> None:
    """Show prices, quote what a usage costs, and take prices from newer lists."""


@command.command("quote")
@click.argument("model", metavar="PROVIDER/MODEL")
@click.option(
    "--usage", required=True, metavar="JSON", help='Counts: {"input_tokens": 1000, …}, totals inclusive.'
)
@click.option("--context", default="{}", metavar="JSON", help='Such as {"service_tier": "flex"}.')
@click.option("--at", default="", metavar="TIME", help="When the request began; now when not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _quote(ctx: click.Context, *, model: str, usage: str, context: str, at: str, as_json: bool) -> None:
    """Tell what a usage of a model costs, line by line."""
    prices = _prices(ctx)
    quoted = prices.quote(model, _usage(usage), _context(context), _at_ms(ctx, at))
    if as_json:
        print_json({**quote_document(quoted), "price_version": prices.version()})
    else:
        _print_quote(model, quoted)


@command.command("show")
@click.argument("name", required=False, default="", metavar="[PROVIDER[/MODEL]]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show where the prices are from, a provider's models, or what one model costs now."""
    prices, now_ms = _prices(ctx), programs(ctx).now_ms()
    if "/" in name:
        _show_model(prices, name, now_ms, as_json)
    elif name:
        _show_provider(prices, name, now_ms, as_json)
    else:
        _show_book(prices, as_json)


@command.command("history")
@click.argument("model", metavar="PROVIDER/MODEL")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _history(ctx: click.Context, model: str, as_json: bool) -> None:
    """Show every price of a model with the time and the context it is for, the oldest first."""
    rows = list(history_rows(_sheet(_prices(ctx), model)))
    if as_json:
        print_json({"items": rows, "next": None})
    else:
        _print_rows(rows)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--check", is_flag=True, help="Only tell what would change; exit code 6 if anything would.")
@click.option("--provider", "kinds", multiple=True, metavar="KIND", help="Of these providers only.")
@click.option("--accept", multiple=True, metavar="PROVIDER/MODEL", help="Take this quarantined change too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def _import(
    ctx: click.Context,
    *,
    file: Path,
    check: bool,
    kinds: tuple[str, ...],
    accept: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take prices from FILE: the JSON of genai-prices, LiteLLM's, OpenRouter's list, or a table of our own.

    A price that moves more than threefold is quarantined: it is taken only when you accept it by name. Your own
    prices, in relay.toml, stay over whatever is taken.
    """
    read = _prices(ctx).import_list(file, kinds=kinds, accepted=accept, check=check)
    if as_json:
        print_json(_import_document(read))
    else:
        _print_import(read, check)
    left = len(read.imported.left)
    if left:
        what = "would change" if check else "quarantined; --accept PROVIDER/MODEL takes one"
        raise Refused(f"{left} model{'s' if left > 1 else ''} {what}", WITH_FINDINGS)


def _prices(ctx: click.Context) -> PricePrograms:
    return programs(ctx).prices(settings(ctx))


def _usage(text: str) -> Usage:
    try:
        counts = msgspec.json.decode(text, type=dict[str, int | None])
    except msgspec.MsgspecError as error:
        raise Refused(f"--usage: {error}", WRONG_USAGE) from None
    for name in counts:
        if name not in USAGE_CLASSES and name not in _UNPRICED_CLASSES:
            near = "".join(f" Did you mean {word}?" for word in closest(name, USAGE_CLASSES, 1))
            raise Refused(f"--usage: there is no count called {name}.{near}", WRONG_USAGE)
    return Usage.from_counts({name: count for name, count in counts.items() if count is not None})


def _context(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise Refused(f"--context: {error}", WRONG_USAGE) from None


def _at_ms(ctx: click.Context, text: str) -> int:
    if not text:
        return programs(ctx).now_ms()
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused(f"--at {text}: write a time such as 2026-11-20T12:00:00Z", WRONG_USAGE) from None


def _sheet(prices: PricePrograms, name: str) -> PriceSheet:
    sheet = prices.sheet(name)
    if sheet is not None:
        return sheet
    kind = priced_kind(name.partition("/")[0])
    known = (f"{kind}/{found.id}" for found in prices.book().sheets.get(kind, ()))
    near = ", ".join(closest(name, known))
    raise Refused(f"no price of {name} is known.{f' Closest: {near}.' if near else ''}", NOT_FOUND)


def _print_quote(model: str, quoted: Quote) -> None:
    rows = [
        (line.name, str(line.count), f"{line.rate} / {line.per}", usd_text(line.amount_pusd))
        for line in quoted.lines
    ]
    if rows:
        print_table(("class", "count", "rate", "usd"), rows)
    if quoted.amount_pusd is not None:
        click.echo(f"{model}: {usd_text(quoted.amount_pusd)} USD ({quoted.state})")
    elif quoted.lower_bound_pusd is not None:
        missing = ", ".join(quoted.unpriced)
        click.echo(f"{model}: at least {usd_text(quoted.lower_bound_pusd)} USD; no price for {missing}")
    else:
        click.echo(f"{model}: unknown ({quoted.reason})")
    for flag in quoted.flags:
        click.echo(f"priced as the ordinary case: {flag}", err=True)


def _show_book(prices: PricePrograms, as_json: bool) -> None:
    book = prices.book()
    counts = {kind: len(sheets) for kind, sheets in sorted(book.sheets.items())}
    if as_json:
        facts = {"version": prices.version(), "as_of": book.as_of, "sources": book.sources}
        print_json({**facts, "models": counts})
        return
    print_table(("provider", "models"), [(kind, str(count)) for kind, count in counts.items()])
    click.echo(f"prices as of {book.as_of}, version {prices.version()}", err=True)
    for source in book.sources:
        click.echo(f"from {source}", err=True)


def _show_provider(prices: PricePrograms, name: str, now_ms: int, as_json: bool) -> None:
    kind = priced_kind(name.lower())
    sheets = prices.book().sheets.get(kind)
    if not sheets:
        raise Refused(f"no prices of {name} are known. List: relay prices show", NOT_FOUND)
    rows = [
        {"model": f"{kind}/{sheet.id}", **{row["rate"]: row["usd"] for row in rate_rows(sheet, now_ms)}}
        for sheet in sheets
    ]
    if as_json:
        print_json({"items": rows, "next": None})
        return
    shown = ("input", "cache_read", "output")
    print_table(("model", *shown), [(row["model"], *(row.get(rate, "-") for rate in shown)) for row in rows])


def _show_model(prices: PricePrograms, name: str, now_ms: int, as_json: bool) -> None:
    sheet = _sheet(prices, name)
    rows = list(rate_rows(sheet, now_ms))
    if as_json:
        facts = {"sheet": sheet.id, "free": sheet.is_free, "source": sheet.source, "as_of": sheet.as_of}
        print_json({"model": name, **facts, "rates": rows})
        return
    click.echo("free") if sheet.is_free else _print_rows(rows)
    origin = f" from {sheet.source}" if sheet.source else ""
    click.echo(f"{sheet.id}{origin}{f', as of {sheet.as_of}' if sheet.as_of else ''}", err=True)


def _print_rows(rows: list[dict[str, str]]) -> None:
    if rows:
        print_table(tuple(rows[0]), [tuple(cell or "-" for cell in row.values()) for row in rows])


def _import_document(read: ReadList) -> dict[str, object]:
    taken = read.imported.taken
    return {
        "items": [change_document(change, change in taken) for change in read.imported.changes],
        "remarks": read.remarks,
        "next": None,
    }


def _print_import(read: ReadList, check: bool) -> None:
    rows = list(_change_rows(change for change in read.imported.changes if change.sort != "gone"))
    if rows:
        print_table(("model", "change", "rate", "before", "after"), rows)
    counts = dict.fromkeys(("new", "changed", "quarantined", "gone"), 0)
    for change in read.imported.changes:
        counts[change.sort] += 1
    told = ", ".join(f"{count} {sort}" for sort, count in counts.items() if count) or "nothing differs"
    click.echo(told + ("" if check else f"; {len(read.imported.taken)} taken"), err=True)
    if read.remarks:
        click.echo(
            f"{len(read.remarks)} of the list's models have no usable price (--json tells which)", err=True
        )


def _change_rows(changes: Iterator[PriceChange]) -> Iterator[tuple[str, ...]]:
    for change in changes:
        if not change.moves:
            yield change.name, change.sort, "", "", ""
        for move in change.moves:
            yield change.name, change.sort, move.rate, move.before or "-", move.after or "-"

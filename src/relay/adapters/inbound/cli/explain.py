"""`relay explain`."""

import msgspec
import rich_click as click

from relay.adapters.inbound.cli.programs import ExplainedName
from relay.adapters.inbound.cli.refusal import NOT_FOUND, Refused
from relay.adapters.inbound.cli.session import print_json, programs, settings


@click.command("explain")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool) -> None:
    """Tell where NAME leads, step by step, without calling anything."""
    explained = programs(ctx).explain(settings(ctx), name)
    if as_json:
        print_json(msgspec.to_builtins(explained))
    else:
        _print(explained)
    if not explained.targets:
        near = f" Closest: {', '.join(explained.closest)}." if explained.closest else ""
        raise Refused(f"model {explained.name!r} not found.{near} List: relay models", NOT_FOUND)


def _print(explained: ExplainedName) -> None:
    for number, step in enumerate(explained.trace, start=1):
        click.echo(f"{number:>3}  {step.step:<9} {step.name}  {'→ ' + step.found if step.found else '-'}")
    if explained.targets:
        click.echo(f"\n{explained.name} is served by {', then '.join(explained.targets)}")
        click.echo(f"resolved by {explained.resolved_by}")
        for target, wire in zip(explained.targets, explained.wires, strict=False):
            if wire:
                click.echo(f"{target} is called as {wire}")
    if explained.tags:
        click.echo(f"tags of the name: {', '.join(explained.tags)}")

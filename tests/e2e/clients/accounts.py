"""Where every client's test ends: the client's count of tokens, the ledger's and the provider's are one."""

from tests.support.books import row_of
from tests.support.process import ServerProcess
from tests.support.upstream import Call, ScriptedUpstream, everything_ended


def assert_agreed(
    relay: ServerProcess, upstream: ScriptedUpstream, tokens: tuple[int, int], *, calls: int = 1
) -> list[Call]:
    """Input and output tokens as the client was told, over the last `calls` calls; those calls."""
    # A client may have read its answer before the provider has closed its own record of it.
    ended = upstream.ledger.wait(everything_ended)
    posted = [call for call in ended if call.method == "POST"]
    made = [call for call in posted if not call.path.endswith("/api/show")][-calls:]
    rows = [row_of(relay.folder, call.request_id or "") for call in made]
    assert [(row["outcome"], row["usage_source"]) for row in rows] == [("ok", "reported")] * calls
    counted = [(row["usage"]["input_tokens"], row["usage"].get("output_tokens", 0)) for row in rows]
    assert counted == [(call.tokens_in, call.tokens_out) for call in made]
    assert tokens == (sum(call.tokens_in for call in made), sum(call.tokens_out for call in made))
    return made

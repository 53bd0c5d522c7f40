"""A scripted upstream that speaks OpenAI and Ollama on one port and misbehaves exactly as its model names say."""

from tests.support.upstream.background import UpstreamProcess, running_upstream, upstream_process
from tests.support.upstream.ledger import Call, Ledger, Totals, everything_ended, read_ledger, totals_of
from tests.support.upstream.scripts import DEFAULT_MODELS
from tests.support.upstream.server import ScriptedUpstream

__all__ = [
    "ScriptedUpstream",
    "running_upstream",
    "upstream_process",
    "UpstreamProcess",
    "Call",
    "Ledger",
    "Totals",
    "totals_of",
    "everything_ended",
    "read_ledger",
    "DEFAULT_MODELS",
]

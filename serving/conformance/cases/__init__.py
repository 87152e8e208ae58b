"""All cases; importing this registers them in their order."""

from serving.conformance.cases import (
    batching,
    examples,
    guarded,
    http,
    metadata,
    other,
    polling,
    predict,
    reload,
    start,
)

__all__ = ["batching", "examples", "guarded", "http", "metadata", "other", "polling", "predict", "reload", "start"]

"""Operations that TensorFlow does not have, and whose they usually are."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from converters import graphs
from model_config.errors import BadSource

_CONTRIB: Final = "tensorflow.contrib of TensorFlow 1"
_TEXT: Final = "tensorflow-text"

# libraries that put their name in front of their operations
_BY_PREFIX: Final = MappingProxyType(
    {
        "Addons>": "tensorflow-addons",
        "DeepMind>": "a library of DeepMind's",
        "Horovod": "horovod",
        "IO>": "tensorflow-io",
        "Sentencepiece": _TEXT,
        "TFRA>": "tensorflow-recommenders-addons",
        "TFText>": _TEXT,
        "Yggdrasil": "tensorflow-decision-forests",
        "SimpleML": "tensorflow-decision-forests",
        "TreePredictions": _CONTRIB,
    }
)
_BY_NAME: Final = MappingProxyType(
    {
        "CaseFoldUTF8": _TEXT,
        "ConstrainedSequence": _TEXT,
        "FastWordpieceTokenizeWithOffsets": _TEXT,
        "NormalizeUTF8": _TEXT,
        "RegexSplitWithOffsets": _TEXT,
        "RougeL": _TEXT,
        "SplitMergeTokenizeWithOffsets": _TEXT,
        "UnicodeScriptTokenizeWithOffsets": _TEXT,
        "WhitespaceTokenizeWithOffsets": _TEXT,
        "WhitespaceTokenizeWithOffsetsV2": _TEXT,
        "WordpieceTokenizeWithOffsets": _TEXT,
        "DecodeAudio": _CONTRIB,
        "DecodeVideo": _CONTRIB,
        "ImageConnectedComponents": _CONTRIB,
        "ImageProjectiveTransform": _CONTRIB,
        "PeriodicResample": _CONTRIB,
        "Resampler": _CONTRIB,
        "SingleImageRandomDotStereograms": _CONTRIB,
        "TRTEngineOp": "a TensorFlow with TensorRT, which made it of a graph that can be converted itself",
        "TFLite_Detection_PostProcess": "TensorFlow Lite, for which the graph was exported",
    }
)


def require_known(graph_def: Any, path: Path) -> None:
    """BadSource names the first operation that this TensorFlow does not have, and the library that brings it."""
    functions = {function.signature.name for function in graph_def.library.function}
    for node in graphs.nodes(graph_def):
        if node.op not in functions and op_def_registry.get(node.op) is None:
            raise BadSource(
                f"{path} uses operation {node.op} (in {node.name}), which TensorFlow {tf.__version__} does not have"
                f"{_brought_by(node.op)}; export the model without it"
            )


def _brought_by(operation: str) -> str:
    library = _BY_NAME.get(operation) or next(
        (each for prefix, each in _BY_PREFIX.items() if operation.startswith(prefix)), None
    )
    return f" and which comes from {library}" if library else ""

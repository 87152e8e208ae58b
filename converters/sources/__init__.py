"""Models as they come, one file a format. A new one: write the file, register the format, name it here."""

from converters.sources import checkpoint, frozen_graph, keras_archive, keras_hdf5, saved_model
from converters.sources.ends import DETECTOR_OUTPUTS, placeholders, sinks
from converters.sources.frozen_graph import read_graph_def
from converters.sources.source import Source, locate, look

__all__ = [
    "DETECTOR_OUTPUTS",
    "Source",
    "checkpoint",
    "frozen_graph",
    "keras_archive",
    "keras_hdf5",
    "locate",
    "look",
    "placeholders",
    "read_graph_def",
    "saved_model",
    "sinks",
]

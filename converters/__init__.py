"""From a trained model to numbered servable versions."""

from model_config import keras_start

keras_start.lighten()

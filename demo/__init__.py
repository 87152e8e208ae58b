"""The main job on a model of our own: shapes are drawn, a detector is trained, its versions are compared."""

from model_config import keras_start

keras_start.lighten()

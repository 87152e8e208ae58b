"""A gRPC server for laptops, tests and the demo that answers as the stock server does."""

from model_config import keras_start

keras_start.lighten()

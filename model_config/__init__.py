"""The contract between building, serving and asking: plain data, no TensorFlow."""

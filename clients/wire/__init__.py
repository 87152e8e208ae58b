"""What goes over the wire: TensorFlow Serving's messages and tensors, without TensorFlow."""

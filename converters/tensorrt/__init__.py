"""TF-TRT: engines in the place of what TensorRT can compute, built ahead, with the proof that it does."""

"""What a model is for: how its questions are put and its answers read."""

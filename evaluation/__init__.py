"""What an answer is worth: pictures, labels, tasks, data sets and metrics, without TensorFlow."""

"""Does a server answer as TensorFlow Serving 2.17.1 does? Asked of a real one, case by case."""

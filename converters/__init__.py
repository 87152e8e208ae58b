"""From a trained model to numbered servable versions."""

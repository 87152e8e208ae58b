"""The main job on a model of our own: shapes are drawn, a detector is trained, its versions are compared."""

"""Versions of a model side by side: the same questions to each, and what their answers are worth."""

"""Loops over the pictures of a batch: found in a graph, understood, and replaced by operations on the whole batch."""

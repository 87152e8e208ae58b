"""8-bit arithmetic in oneDNN's fused operations: which layers, in which ranges, written how."""

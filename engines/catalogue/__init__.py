"""Data of the family catalogue: one source per engine."""

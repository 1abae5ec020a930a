"""The sections of the canonical spec, one module per theme."""

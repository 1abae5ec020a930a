"""Reading a native config back into a canonical document, one module per theme."""

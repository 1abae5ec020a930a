"""Reading configs of sd-scripts and of the kohya_ss GUI back into a canonical document."""

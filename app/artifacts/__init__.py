"""What a run wrote: LoRA files, saved states, samples; and whether a LoRA is sound."""

from app.artifacts.listing import Artifact, Outputs, find, kept_folder, saved_states
from app.artifacts.safetensors import Header, TornSafetensorsError, read_header
from app.artifacts.verify import Verdict, verify, verify_in_child

__all__ = [
    "Artifact",
    "Header",
    "Outputs",
    "TornSafetensorsError",
    "Verdict",
    "find",
    "kept_folder",
    "read_header",
    "saved_states",
    "verify",
    "verify_in_child",
]

"""What lies in the output folder, and what an attempt goes on from.

The engine resumes by itself, from the newest file that begins with the job's name, whether
whole or torn. So torn files have to be moved out of its sight before a start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engines.base import OutputFile, ResumePoint, SavedState

_SAMPLE = re.compile(r"\d+__(\d{9,})_(\d+)\.(?:jpe?g|png|webp|gif|mp4|mp3|wav|flac|ogg)$")
_LORA = re.compile(
    r"(?:_LoRA)?(?:_(?P<step>\d{9,}))?(?P<stage>_high_noise|_low_noise)?\.safetensors$"
)
STAGES = ("_high_noise", "_low_noise")


def final_name(name: str, stages: Sequence[str] = ()) -> str:
    """The finished file, relative to output. Of a model in two stages, the one written last."""
    return f"{name}/{name}{stages[-1] if stages else ''}.safetensors"


def classify(path: str, name: str) -> OutputFile | None:
    """What the file at ``path``, relative to output, is; None for what does not matter."""
    parts = path.split("/")
    if parts[0] != name or len(parts) < 2:
        return None
    last = parts[-1]
    if len(parts) == 3 and parts[1] == "samples":
        drawn = _SAMPLE.match(last)
        if drawn is None:
            return None
        return OutputFile(path, "sample", step=int(drawn[1]), prompt=int(drawn[2]))
    if len(parts) != 2:
        return None
    if last.startswith(".tmp"):
        return OutputFile(path, "partial")
    if last == "optimizer.pt":
        return OutputFile(path, "state")
    saved = _LORA.match(last.removeprefix(name)) if last.startswith(name) else None
    if saved is None:
        return None
    step = saved["step"]
    return OutputFile(path, "lora", step=int(step) if step else None, final=step is None)


def resume_point(states: Sequence[SavedState]) -> ResumePoint | None:
    """The newest whole LoRA. Its step is what its own metadata tells, as the engine reads it.

    A file without that (not written by the engine) is gone on from at step 0, weights only.
    """
    torn = {state.path for state in states if _is_lora(state) and not state.whole}
    whole = [
        state
        for state in states
        if _is_lora(state) and state.whole and not any(_partners(state, path.name) for path in torn)
    ]
    if not whole:
        return None
    newest = max(whole, key=lambda state: (state.mtime, state.step or 0))
    return ResumePoint(path=newest.path, step=newest.step or 0, weights_only=newest.step is None)


def quarantine(states: Sequence[SavedState]) -> tuple[OutputFile, ...]:
    """Files to move away before a start: torn ones, and the other half of a torn pair."""
    torn = [state for state in states if _is_lora(state) and not state.whole]
    return tuple(
        state.file
        for state in states
        if state in torn or (_is_lora(state) and any(_partners(state, t.path.name) for t in torn))
    )


def _is_lora(state: SavedState) -> bool:
    return state.file.kind == "lora"


def _partners(state: SavedState, other: str) -> bool:
    """Whether two files are the halves of one save of a model in two stages."""
    first, second = STAGES
    own = state.path.name
    return own != other and (
        own.replace(first, second) == other or own.replace(second, first) == other
    )

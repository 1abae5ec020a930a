"""Why a run died: exit, last output and known causes become one sentence and one suggestion."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.jobs import logtail


@dataclass(frozen=True)
class Cause:
    """A known cause: what its output looks like, what it means, what to do."""

    key: str
    pattern: re.Pattern[str]
    sentence: str
    suggestion: str


@dataclass(frozen=True)
class Diagnosis:
    """``known`` is False where only the last line could be quoted. ``cause`` names the row."""

    sentence: str
    suggestion: str
    known: bool
    cause: str = ""


def _cause(key: str, pattern: str, sentence: str, suggestion: str) -> Cause:
    return Cause(key, re.compile(pattern), sentence, suggestion)


CAUSES: tuple[Cause, ...] = (
    _cause("gpu-memory", r"(?i)CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED",
           "the GPU ran out of memory",
           "Use gradient checkpointing, batch size 1, a smaller resolution, or quantise the base model."),
    _cause("shared-memory", r"insufficient shared memory|signal: Bus error|unable to (?:open|write|allocate|resize)"
           r".*shared memory", "the container's shared memory is too small for the data workers",
           "Set the data workers to 0, or give the container more shared memory (--shm-size)."),
    _cause("memory", r"DefaultCPUAllocator: |not enough memory: you tried|(?<![A-Za-z])MemoryError|"
           r"Cannot allocate memory|died with <Signals\.SIGKILL|is killed by signal: Killed",
           "the machine ran out of memory",
           "Use fewer data workers, smaller caches or a machine with more memory, then retry."),
    _cause("stopped", r"^Exception: Job stopped", "it was told to stop", "Retry; it goes on from the newest save."),
    _cause("disk-full", r"No space left on device|ENOSPC|database or disk is full",
           "the disk is full", "Delete old jobs, checkpoints or models, then retry from the newest save."),
    _cause("gated", r"(?i)gated repo|GatedRepoError|403 Client Error|Access to model .* is restricted",
           "the base model is gated and this token may not read it",
           "Accept the licence on the model's page and set HF_TOKEN."),
    _cause("unauthorised", r"401 Client Error|Invalid username or password|Invalid credentials",
           "the Hub refused the token", "Set a valid HF_TOKEN."),
    _cause("missing-model", r"neither a valid local path nor a valid repo id|RepositoryNotFoundError|"
           r"is not cached locally|Repository Not Found|404 Client Error|does not appear to have a file named|"
           r"Cannot load model|no file named .* found in directory|(?<!Local)EntryNotFoundError",
           "the base model was not found", "Check its path or hub id, and the network."),
    _cause("no-images", r"No data found|no images found in|No images found|画像がありません",
           "no pictures were found in the dataset", "Check the folder, and that names end in .png, .jpg or .webp."),
    _cause("empty-caption", r"caption file is empty", "a caption file is empty",
           "Write the caption or delete the empty file, then retry."),
    _cause("bad-caption", r"illegal char in file|UnicodeDecodeError: 'utf-8' codec can't decode",
           "a caption is no UTF-8 text", "Save the caption named in the log as UTF-8, then retry."),
    _cause("bad-image", r"image file is truncated|cannot identify image file|UnidentifiedImageError|broken data stream",
           "a picture of the dataset cannot be read", "Remove or replace the picture named in the log, then retry."),
    _cause("nan", r"(?i)loss is nan|avr_loss=nan|NaN detected",
           "the loss became NaN (not a number): the training diverged",
           "Use a smaller learning rate; with fp16, use bf16 instead."),
    _cause("torn-file", r"SafetensorError|MetadataIncompleteBuffer|incomplete metadata|HeaderTooLarge|"
           r"PytorchStreamReader failed",
           "a model or checkpoint file is incomplete", "Remove the incomplete file, or retry from the save before it."),
    _cause("driver", r"(?i)no kernel image is available|CUDA driver version is insufficient|sm_\d+ is not compatible|"
           r"forward compatibility was attempted|driver on your system is too old|Found no NVIDIA driver|"
           r"CUDA Setup failed|no CUDA-capable device|CUDA unknown error|libcudart|CUDA initialization",
           "the GPU and the installed torch do not fit together",
           "Install a torch build for this GPU and driver (bootstrap.sh, TORCH_INDEX_URL)."),
    _cause("gpu-failed", r"(?i)uncorrectable ECC|GPU is lost|fallen off the bus|unspecified launch failure|"
           r"illegal memory access|is/are busy or unavailable", "the GPU failed or is in use by another program",
           "Retry on another GPU; if it happens again, restart or change the machine."),
    _cause("text-cache", r"'FakeTextEncoder' object has no attribute",
           "ai-toolkit cannot draw samples of this model while its texts are cached",
           "Set cache text to none, or draw no samples."),
    _cause("half-on-cpu", r"expected m1 and m2 to have the same dtype|\"\w+\" not implemented for 'Half'|Half != float|"
           r"dtype, but got: (float != c10::Half|c10::Half != float)",
           "fp16 does not run on this device", "Choose bf16 or no mixed precision."),
    _cause("missing-dependency", r"ModuleNotFoundError: No module named|ImportError:|cannot import name",
           "a Python package of the engine is missing", "Run ./scripts/bootstrap.sh for this engine again."),
    _cause("bad-option", r"unrecognized arguments|invalid choice|MultipleInvalid|extra keys not allowed|"
           r"config file is invalid|Environment variable \w+ not set|Scheduler must be|Unknown (optimizer|"
           r"lr_scheduler|scheduler)|Unknown optimizer type|not supported for|yaml\.\w+\.\w+Error",
           "the engine refused an option", "Check the engine options of the job."),
    _cause("network", r"(?i)ConnectionError|Max retries exceeded|ReadTimeout|ConnectTimeout|429 Client Error|"
           r"IncompleteRead|RemoteDisconnected|Connection reset by peer|Temporary failure in name resolution|"
           r"offline mode is enabled|LocalEntryNotFoundError", "the Hub could not be reached",
           "Check the network, or download the model first."),
    _cause("tokenizer", r"in _load_tokenizer|Can't load tokenizer for",
           "the model's tokenizer is not on this machine and could not be fetched",
           "The engine fetches it at the first run of a family: let it reach the Hub once, without HF_HUB_OFFLINE. "
           "Or name a folder that holds it: kohya_ss has the option tokenizer_cache_dir."),
    _cause("permission", r"PermissionError|Read-only file system", "a file could not be written or read",
           "Check the owner and rights of the folder named in the log."),
    _cause("missing-file", r"FileNotFoundError|No such file or directory|Could not find config file|"
           r"file not found / |\.toml not found", "a file is missing",
           "Check the path named in the log."),
)  # fmt: skip

REMEDIES: dict[str, tuple[str, dict[str, str]]] = {
    "gpu-memory": (
        "Try with gradient checkpointing and batch 1",
        {"memory.gradient_checkpointing": "true", "batch.size": "1"},
    ),
    "text-cache": ("Try without cached texts", {"memory.cache_text": "none"}),
    "half-on-cpu": ("Try with bf16", {"memory.mixed_precision": "bf16"}),
    "nan": ("Try with bf16", {"memory.mixed_precision": "bf16"}),
}
"""By cause: the words of a button, and the form fields it changes in a clone of the job."""

_EXCEPTION = re.compile(
    r"^(?:(?:[A-Za-z_][\w.]*)?(?:Error|Exception|Invalid|Interrupt|Exit|NotFound)\b(?!\w).*"
    r"|\S+: error: .*)$"
)
_WRAPPERS = re.compile(
    r"CalledProcessError|Error running on_error|cannot access local variable 'job'|KeyboardInterrupt|"
    r"^Error running job"
)
_NO_WORDS = re.compile(
    r"\d+%\||^\s*(?:File \"|[\^~]+\s*$|#+\s*$|=+\s*$)|^Saved optimizer|^Traceback"
)
"""Lines that tell a person nothing: bars, frames of a traceback, rules."""
_NO_NAME = "not NoneType"
"""Python's own words where a file was not found and nobody looked; only the frames tell which."""
_FRAME = re.compile(r'\s*File "')

_ENDED = ("SIGTERM", "SIGINT", "SIGHUP")
_RETRY = "Retry; it goes on from the newest save."


def diagnose(*, code: int | None, signal: str | None, tail: str, engine: str) -> Diagnosis:
    """Look at how it ended (exit code or signal name) and at the last output."""
    settled = (logtail.settled(raw) for raw in tail.encode().split(b"\n"))
    lines = [line for line in settled if line.strip()]
    told = last_error(lines)
    # The last exception decides; warnings above it may name other things.
    frames = "\n".join(line for line in lines if _FRAME.match(line)) if _NO_NAME in told else ""
    for text in (told, frames, "\n".join(lines[-60:]) if not told or code == 0 else ""):
        for cause in CAUSES:
            if text and cause.pattern.search(text):
                cause = _what_was_fetched(cause, lines)
                return Diagnosis(_quoted(cause.sentence, told), cause.suggestion, True, cause.key)
    if signal == "SIGKILL":
        cause = next(cause for cause in CAUSES if cause.key == "memory")
        sentence = "it was killed from outside, most often because the machine ran out of memory"
        return Diagnosis(sentence, cause.suggestion, True, cause.key)
    if signal in _ENDED and not told:
        return Diagnosis("it was ended from outside, not by this program", _RETRY, True, "ended")
    words = told or _last_words(lines)
    if words:
        return Diagnosis(words[:300], "See the last lines of the log.", False)
    return Diagnosis(
        "it said nothing", "Retry; if it happens again, look at the Engines page.", False
    )


def _what_was_fetched(cause: Cause, lines: list[str]) -> Cause:
    """Where the network failed, its words name no file; the frames tell whether it was a tokenizer."""
    tokenizer = next(known for known in CAUSES if known.key == "tokenizer")
    if cause.key == "network" and any(tokenizer.pattern.search(line) for line in lines):
        return tokenizer
    return cause


def _quoted(sentence: str, told: str) -> str:
    return f"{sentence} ({told[:200]})" if told else sentence


def _last_words(lines: list[str]) -> str:
    """The last line that tells a person something; the very last one if none does."""
    for line in reversed(lines):
        if not _NO_WORDS.search(line) and not _WRAPPERS.search(line):
            return line.strip()
    return lines[-1].strip() if lines else ""


def last_error(lines: list[str]) -> str:
    """The last exception line that is not a wrapper of another one; empty if there is none."""
    for line in reversed(lines):
        text = line.strip()
        if _EXCEPTION.match(text) and not _WRAPPERS.search(text):
            return text
    return ""

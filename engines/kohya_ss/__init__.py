"""kohya_ss: two TOML files in, tqdm bars and rich lines out. The trainer is sd-scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engines import families
from engines.adapter import BucketRule, Engine, Reading, Size, Traits
from engines.base import (
    Complaint,
    LaunchPlan,
    OptionList,
    OutputFile,
    Progress,
    Refusal,
    ResumePoint,
    SavedState,
    StopStep,
    UnsupportedError,
    Workspace,
)
from engines.kohya_ss import (
    buckets,
    config,
    dataset,
    logs,
    native,
    optimizer,
    output,
    prompts,
    provenance,
    refusals,
    sources,
    tomltext,
)
from engines.kohya_ss import options as option_lists
from engines.registry import EngineName
from engines.spec import Buckets, JobSpec

_STOP = (
    StopStep("signal", 15.0, signal="SIGINT"),
    StopStep("signal", 5.0, signal="SIGTERM"),
)
"""No signal makes sd-scripts save; an interrupt lets it close its files."""
_FLOAT8 = ("none", "qfloat8", "float8")
_WHOLE = ("anima",)
"""Families that it cannot hold in 8 bits."""


class KohyaSs(Engine):
    """The adapter of sd-scripts. ``Workspace.home`` is the sd-scripts folder itself."""

    name: EngineName = "kohya_ss"
    traits = Traits(
        script="train_network.py",
        inside="sd-scripts",
        outside="kohya_gui.py",
        records="tensorboard",
        counts_from_attempt=True,
        whole_epochs=True,
        state_files=output.STATE_FILES,
        again="A second start begins at step 0 and writes over output/. To go on from a saved state,\n"
        'add --resume "$here"/output/ITS-FOLDER to the last line of run.sh.',
        install_gb=9,
        reading=Reading(
            frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"}),
            any_case=False,
            turns=False,
            empty_captions=False,
        ),
    )

    def families(self) -> frozenset[str]:
        return frozenset(key for key, family in families.families().items() if family.kohya)

    def refusals(self, spec: JobSpec, options: OptionList | None = None) -> tuple[Refusal, ...]:
        found = list(refusals.find(spec))
        script = self._script(spec)
        if script:
            found += native.refusals(spec, script, options)
        return tuple(found)

    def plan(self, spec: JobSpec, workspace: Workspace) -> LaunchPlan:
        found = [*self.refusals(spec, workspace.options), *_not_here(spec, workspace)]
        open_parts = _open_parts(spec)
        if workspace.datasets is not None:
            found += open_parts
        if found:
            raise UnsupportedError(self.name, found)
        family = families.families()[spec.family].kohya
        assert family is not None, "refusals would have said so"
        run = config.length(spec, workspace)
        job = config.build(spec, workspace, run)
        pictures = dataset.config(spec, family)
        native.merge(spec, job, pictures)
        files = {"config.toml": tomltext.dumps(job), "dataset.toml": tomltext.dumps(pictures)}
        if spec.sampling.prompts:
            files["prompts.txt"] = prompts.text(spec)
        return LaunchPlan(
            argv=_argv(workspace, f"{family.script}.py"),
            cwd=workspace.home,
            env=_environment(workspace),
            files=files,
            stop=_STOP,
            final=f"{spec.name}.safetensors",
            total_steps=run.steps,
            start_step=_start_step(workspace, run),
            steps_per_epoch=run.steps_per_epoch,
            epochs=run.epochs,
            notes=(
                *run.notes,
                *_notes(spec),
                *_no_samples(job, run.epochs),
                *(f"{r.field}: {r.message}" for r in open_parts),
            ),
            sources=provenance.sources(spec, job, pictures),
        )

    def parse(self, piece: str) -> Progress | None:
        return logs.parse(piece)

    def classify(self, path: str, name: str) -> OutputFile | None:
        return output.classify(path, name)

    def resume_point(
        self, states: Sequence[SavedState], steps_per_epoch: int | None
    ) -> ResumePoint | None:
        return output.resume_point(states, steps_per_epoch)

    def complaints(
        self, spec: JobSpec, files: Mapping[str, str], options: OptionList
    ) -> tuple[Complaint, ...]:
        return tuple(option_lists.complaints(files, self._script(spec), options))

    def shipped_options(self) -> OptionList:
        return option_lists.shipped()

    def option_sources(self) -> tuple[str, ...]:
        return sources.PATTERNS

    def read_options(self, texts: Mapping[str, str]) -> OptionList:
        return sources.read_options(texts)

    def words(self, path: str) -> Sequence[str]:
        known: dict[str, Sequence[str]] = {
            "optimizer.name": tuple(optimizer.NAMES),
            "optimizer.scheduler": tuple(optimizer.SCHEDULERS),
            "loss.timestep_sampling": [w for ws in refusals.TIMESTEPS.values() for w in ws],
        }
        return known.get(path, ())

    def parts(self, family: str) -> Mapping[str, bool]:
        found = families.get(family)
        own = found.kohya if found else None
        if own is None:
            return {}
        return {**dict.fromkeys(own.components, True), **dict.fromkeys(own.optional, False)}

    def takes_default(
        self, family: str, path: str, value: Any, document: Mapping[str, Any]
    ) -> bool:
        found = families.get(family)
        own = found.kohya if found else None
        if own is None:
            return False
        if path == "memory.offload":
            return not value or own.swap_blocks > 0
        if path == "memory.quantize":
            return value == "none" or (value in _FLOAT8 and family not in _WHOLE)
        if path == "memory.cache_text":
            return value == "none" or own.caches_text
        return True

    def bucket_rule(self, edge: int, asked: Buckets, divisor: int) -> BucketRule:
        fixed = buckets.resolutions(edge, asked)

        def rule(size: Size) -> tuple[Size, Size]:
            chosen = buckets.bucket_of(size, edge, asked, fixed)
            return chosen, buckets.shown_at(size, edge, asked, fixed)

        return rule

    def _script(self, spec: JobSpec) -> str:
        family = families.get(spec.family)
        return family.kohya.script if family and family.kohya else ""


def _argv(workspace: Workspace, script: str) -> tuple[str, ...]:
    """One GPU or the CPU: Python directly, so that no launcher hides the exit code."""
    rest = (script, "--config_file", str(workspace.native / "config.toml"))
    if len(workspace.gpus) < 2:
        return (workspace.python, *rest)
    return (
        workspace.python, "-m", "accelerate.commands.launch", "--multi_gpu",
        "--num_processes", str(len(workspace.gpus)), "--num_machines", "1",
        "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--num_cpu_threads_per_process", "1", *rest,
    )  # fmt: skip


def _environment(workspace: Workspace) -> dict[str, str]:
    found = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        # The log is wrapped at this width when there is no terminal.
        "COLUMNS": "250",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    if workspace.gpus:
        found["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, workspace.gpus))
    return found


def _start_step(workspace: Workspace, run: config.Length) -> int:
    point = workspace.resume
    if point is None or point.weights_only:
        return 0
    return (point.epoch or 0) * (run.steps_per_epoch or 0) or point.step


def _open_parts(spec: JobSpec) -> list[Refusal]:
    family = families.get(spec.family)
    return list(refusals.missing_components(spec, family.kohya)) if family and family.kohya else []


def _not_here(spec: JobSpec, workspace: Workspace) -> Iterator[Refusal]:
    """What these very pictures and this very machine rule out."""
    if workspace.datasets and (problem := buckets.misfit(spec, workspace.datasets)):
        yield Refusal("buckets.step", problem)
    if workspace.gpus:
        return
    if any(mark in spec.optimizer.name.lower() for mark in optimizer.NEEDS_GPU):
        yield Refusal(
            "optimizer.name",
            f"{spec.optimizer.name} needs a GPU and this machine has none; use adamw.",
        )
    if spec.memory.mixed_precision == "fp16":
        yield Refusal("memory.mixed_precision", "fp16 does not run on a CPU; use bf16 or no.")


def _notes(spec: JobSpec) -> Iterator[str]:
    chosen = spec.optimizer
    if optimizer.finds_its_rate(chosen.name) and chosen.learning_rate < 0.1:
        yield f"{chosen.name} finds its own rate and wants a learning rate of 1, not {chosen.learning_rate:g}."
    if optimizer.scheduler(chosen) != chosen.scheduler:
        yield f"The schedule {chosen.scheduler} with a warm-up is {optimizer.scheduler(chosen)}."
    if chosen.warmup_steps and chosen.scheduler != "constant":
        yield f"The warm-up takes the first {chosen.warmup_steps} steps."


def _no_samples(job: Mapping[str, Any], epochs: int | None) -> Iterator[str]:
    """sd-scripts draws none at the end of a run that is shorter than the interval."""
    every = job.get("sample_every_n_epochs")
    if not epochs or not isinstance(every, int) or every <= epochs:
        return
    if not job.get("sample_at_first") and not job.get("sample_every_n_steps"):
        yield f"No sample will be drawn: one is due every {every} epochs, and the run has {epochs}."

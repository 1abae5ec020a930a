"""The ai-toolkit adapter: what each method of the engine contract is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engines import families
from engines.adapter import BucketRule, Engine, Reading, Size, Traits
from engines.ai_toolkit import control, logs, model, optimizer, options, output, refusals
from engines.ai_toolkit.config import build, control_path, stages
from engines.ai_toolkit.draft import CONFIG
from engines.ai_toolkit.length import bucket
from engines.ai_toolkit.options import unknown_keys
from engines.base import (
    Complaint,
    LaunchPlan,
    OptionList,
    OutputFile,
    Progress,
    Refusal,
    ResumePoint,
    SavedState,
    UnsupportedError,
    Workspace,
)
from engines.registry import EngineName
from engines.spec import Buckets, JobSpec


class AiToolkit(Engine):
    """ai-toolkit, pinned at 27a03a91. Stateless; every method is a pure function."""

    name: EngineName = "ai-toolkit"
    traits = Traits(
        script="run.py",
        records="loss-table",
        takes_orders=True,
        again="A second start goes on from the newest checkpoint in output/.",
        install_gb=12,
        reading=Reading(subfolders=True, writes_beside=True),
    )

    def families(self) -> frozenset[str]:
        """Keys of ``engines.families`` that it trains as a LoRA."""
        return frozenset(key for key, family in families.families().items() if family.ai_toolkit)

    def refusals(self, spec: JobSpec, options: OptionList | None = None) -> tuple[Refusal, ...]:
        """Every field that cannot be honoured; empty when the spec can be planned."""
        return tuple(refusals.refuse(spec, options or self.shipped_options()))

    def plan(self, spec: JobSpec, workspace: Workspace) -> LaunchPlan:
        """Native file and command. Raises UnsupportedError, naming every field."""
        refused = [*self.refusals(spec, workspace.options)]
        refused += refusals.refuse_place(spec, workspace)
        still_open = [*refusals.open_inputs(spec)]
        if workspace.datasets is not None:
            refused += still_open
        if refused:
            raise UnsupportedError(self.name, refused)
        text, draft, length = build(spec, workspace)
        path, job = control_path(workspace), workspace.job_id
        resume = workspace.resume
        start = resume.step if resume and not resume.weights_only else 0
        if start >= length.steps:
            draft.note(f"All {length.steps} steps are done; it would only save and draw again.")
        return LaunchPlan(
            argv=(
                workspace.python,
                str(workspace.home / "run.py"),
                str(workspace.native.absolute() / CONFIG),
            ),
            cwd=workspace.home,
            env=environment(spec, workspace),
            files={CONFIG: text},
            stop=control.stop(path, job),
            save_and_stop=control.save_and_stop(path, job),
            save_now=control.save_now(path, job),
            sample_now=control.sample_now(path, job) if spec.sampling.prompts else (),
            control=control.table(path, job, start),
            final=output.final_name(spec.name, stages(draft)),
            total_steps=length.steps,
            start_step=start,
            steps_per_epoch=length.steps_per_epoch,
            epochs=length.epochs,
            notes=(*draft.notes, *(f"{r.field}: {r.message}" for r in still_open)),
            sources=dict(draft.sources),
        )

    def parse(self, piece: str) -> Progress | None:
        """Read one piece of the log."""
        return logs.parse(piece)

    def classify(self, path: str, name: str) -> OutputFile | None:
        """Say what an output file is; None for what does not matter."""
        return output.classify(path, name)

    def resume_point(
        self, states: Sequence[SavedState], steps_per_epoch: int | None
    ) -> ResumePoint | None:
        """The newest whole checkpoint, or None to start at 0."""
        return output.resume_point(states)

    def quarantine(self, states: Sequence[SavedState]) -> tuple[OutputFile, ...]:
        """Torn checkpoints, and the other half of a torn pair."""
        return output.quarantine(states)

    def complaints(
        self, spec: JobSpec, files: Mapping[str, str], options: OptionList
    ) -> tuple[Complaint, ...]:
        """One for each key of config.yaml that the option list does not allow."""
        return unknown_keys(files.get(CONFIG, ""), options)

    def shipped_options(self) -> OptionList:
        """The list for the pinned commit."""
        return options.shipped()

    def option_sources(self) -> tuple[str, ...]:
        """Files of a checkout, as patterns relative to it, that tell what it accepts."""
        return (options.CONFIG_CLASSES, *options.TRAINERS, *options.MODELS)

    def read_options(self, texts: Mapping[str, str]) -> OptionList:
        """The option list from the text of those files. Raises ValueError if it cannot be read."""
        return options.read_options(texts)

    def words(self, path: str) -> Sequence[str]:
        """Its optimizers by our names, schedules, timestep samplings."""
        known: dict[str, Sequence[str]] = {
            "optimizer.name": tuple(optimizer.NAMES.values()),
            "optimizer.scheduler": tuple(optimizer.SCHEDULES),
            "loss.timestep_sampling": model.TIMESTEPS,
        }
        return known.get(path, ())

    def parts(self, family: str) -> Mapping[str, bool]:
        """Files that it takes in place of the model's own; it needs none."""
        found = families.get(family)
        own = found.ai_toolkit if found else None
        return dict.fromkeys(model.components(own.arch), False) if own else {}

    def takes_default(
        self, family: str, path: str, value: Any, document: Mapping[str, Any]
    ) -> bool:
        """By what its own form offers for the model."""
        found = families.get(family)
        own = found.ai_toolkit if found else None
        if own is None:
            return False
        if path == "memory.offload":
            return not value or "model.layer_offloading" in own.extra
        if path == "memory.quantize":
            return value == "none" or "model.quantize" not in own.disabled
        if path == "memory.cache_text":
            sampling = document.get("sampling")
            prompts = sampling.get("prompts") if isinstance(sampling, Mapping) else None
            return value == "none" or not prompts or own.draws_with_cached_captions
        return True

    def bucket_rule(self, edge: int, asked: Buckets, divisor: int) -> BucketRule:
        """A picture is scaled to cover its bucket, rounded up, then cut in the middle."""

        def rule(size: Size) -> tuple[Size, Size]:
            chosen = bucket(*size, edge, divisor) if asked.enabled else (edge, edge)
            scale = max(chosen[0] / size[0], chosen[1] / size[1])
            shown = (math.ceil(size[0] * scale - 1e-9), math.ceil(size[1] * scale - 1e-9))
            return chosen, shown

        return rule


def environment(spec: JobSpec, workspace: Workspace) -> dict[str, str]:
    """Variables for the trainer; nothing secret. SEED also seeds numpy, which the file cannot."""
    env = {"PYTHONUNBUFFERED": "1", "SEED": str(spec.seed)}
    if workspace.job_id:
        env["AITK_JOB_ID"] = workspace.job_id
    if workspace.gpus:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        env["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, workspace.gpus))
    return env

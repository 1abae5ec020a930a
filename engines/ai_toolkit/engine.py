"""The ai-toolkit adapter: what each method of the engine contract is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines import families
from engines.ai_toolkit import control, logs, options, output, refusals
from engines.ai_toolkit.config import build, control_path, stages
from engines.ai_toolkit.draft import CONFIG
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
from engines.spec import EngineName, JobSpec


class AiToolkit:
    """ai-toolkit, pinned at 27a03a91. Stateless; every method is a pure function."""

    name: EngineName = "ai-toolkit"
    counts_from_attempt = False

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


def environment(spec: JobSpec, workspace: Workspace) -> dict[str, str]:
    """Variables for the trainer; nothing secret. SEED also seeds numpy, which the file cannot."""
    env = {"PYTHONUNBUFFERED": "1", "SEED": str(spec.seed)}
    if workspace.job_id:
        env["AITK_JOB_ID"] = workspace.job_id
    if workspace.gpus:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        env["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, workspace.gpus))
    return env

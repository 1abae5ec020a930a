"""A dataset's page names the jobs that trained on it; a job starts from what another one wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.jobs import dataset_use, service, workspace
from app.platform import current


@pytest.mark.parametrize("name", ["dogs", "Möwe 50% 犬", 'with "quotes"'])
def test_jobs_are_found_by_a_folder_of_any_name(supervised, document, data, name):
    folder = data.rename(data.with_name(name))
    document["datasets"][0]["path"] = str(folder)
    job = service.submit(document, hold=True)
    assert [use.id for use in dataset_use.jobs(str(folder))] == [job.id]
    assert list(dataset_use.jobs(str(folder.with_name("other")))) == []


def test_a_lora_that_is_pruned_as_one_looks_for_the_newest_is_passed_over(
    supervised, document, monkeypatch
):
    job = service.submit(document, hold=True)
    output = service.run_dir(job).output
    output.mkdir(parents=True)
    for age, name in enumerate(("new", "old", "gone")):
        (output / f"{name}.safetensors").write_bytes(b"x")
        os.utime(output / f"{name}.safetensors", (9e8 - age, 9e8 - age))
    stat = Path.stat

    def pruned(path, **how):
        if path.name == "gone.safetensors":
            raise FileNotFoundError(path)
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", pruned)
    spec = service.spec_of(job).model_validate({**document, "resume": {"from": job.id}})
    point = workspace.starting_point(spec, current().settings)
    assert point is not None
    assert point.path.name == "new.safetensors"

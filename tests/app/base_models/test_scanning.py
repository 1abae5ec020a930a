"""The library of what is on disk, and what a deletion takes away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app.base_models import library, removing, scanning
from app.base_models.library import Entry
from app.errors import UserError
from app.settings import Settings
from app.tasks import Work
from tests.support.models import OTHERS, SHAPES, content, write


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return Settings.from_env({"DATA_DIR": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hf")})


def cached(settings, repo, files, revision="c" * 40):
    folder = settings.hf_home / "hub" / f"models--{repo.replace('/', '--')}"
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(revision)
    for name, data in files.items():
        blob = folder / "blobs" / f"{hash((name, data)):x}"
        blob.write_bytes(data)
        link = folder / "snapshots" / revision / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return folder


def found(settings, *folders) -> dict[str, Entry]:
    scanning.scan(settings, folders)
    return {entry.name: entry for entry in library.read(settings).entries}


def test_cache_models_and_added_folders_are_found_with_size_and_kind(settings, tmp_path):
    flux = content(SHAPES["flux"])
    cached(settings, "b-f/flux", {"flux1.safetensors": flux, "README.md": b"read"})
    cached(settings, "half/one", {"x.safetensors": flux})
    (settings.hf_home / "hub/models--half--one/blobs/abc.incomplete").write_bytes(b"12")
    write(settings.models_dir / "dreams.safetensors", SHAPES["sdxl"])
    write(settings.models_dir / "sub" / "style.safetensors", OTHERS["lora"])
    write(tmp_path / "mine" / "wan.safetensors", SHAPES["wan21:1b"], "BF16")
    (settings.models_dir / "cut.safetensors.part").write_bytes(b"123")
    entries = found(settings, str(tmp_path / "mine"), str(tmp_path / "gone"))
    flux_entry = entries["b-f/flux/flux1.safetensors"]
    assert (flux_entry.label, flux_entry.size, flux_entry.file_count) == (
        "FLUX.1",
        len(flux) + 4,
        2,
    )
    assert not entries["half/one/x.safetensors"].complete
    assert entries["dreams.safetensors"].families == ("sdxl",)
    assert "LoRA of rank 16" in entries["sub/style.safetensors"].says
    assert not entries["sub/style.safetensors"].is_base
    assert entries[str(tmp_path / "mine" / "wan.safetensors")].precision == "bf16"
    assert not entries["cut.safetensors.part"].complete
    now = library.read(settings)
    assert now.notes == (f"{tmp_path / 'gone'} is not there (any more).",)
    assert now.total == sum(entry.size for entry in entries.values())
    assert now.names_for("sdxl") == ["dreams.safetensors"]


def test_every_offered_name_leads_to_its_entry(settings):
    from app.base_models import Local, resolve

    folder = settings.models_dir / "deep" / "folder"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    write(settings.models_dir / "a" / "b" / "c.safetensors", SHAPES["flux"])
    for entry in found(settings).values():
        assert str(resolve(entry.name, settings.data_dir)) == str(Local(type(folder)(entry.path)))


def delete(settings, path, key="", part=""):
    import io

    about = {"key": key, "path": str(path), "part": part}
    work = Work(1, about, settings, tell=io.StringIO(), log=path)
    return removing.run(work)


def test_a_repository_goes_whole_and_its_neighbour_stays(settings):
    gone = cached(settings, "a/b", {"x.safetensors": content(SHAPES["flux"])})
    cached(settings, "a/b", {"y.safetensors": b"second revision"}, "d" * 40)
    stays = cached(settings, "a/c", {"x.safetensors": content(SHAPES["sdxl"])})
    (gone / "blobs" / "cut.incomplete").write_bytes(b"12")
    entry = found(settings)["a/b"]
    assert entry.revisions == 2
    assert delete(settings, gone, entry.key) == {"bytes": entry.size}
    assert not gone.exists()
    assert stays.exists()
    assert [e.path for e in library.read(settings).entries] == [str(stays)]


def test_older_revisions_go_and_what_the_current_one_shares_with_them_stays(settings):
    flux = content(SHAPES["flux"])
    folder = cached(settings, "a/b", {"x.safetensors": flux, "old.bin": b"12345"}, "d" * 40)
    cached(settings, "a/b", {"x.safetensors": flux})
    assert delete(settings, folder, part=library.OLDER) == {"bytes": 5}
    assert [p.name for p in (folder / "snapshots").iterdir()] == ["c" * 40]
    assert (folder / "snapshots" / ("c" * 40) / "x.safetensors").read_bytes() == flux
    assert found(settings)["a/b/x.safetensors"].revisions == 1


def test_one_file_of_a_repository_goes_with_its_bytes(settings):
    folder = cached(settings, "a/b", {"x.safetensors": content(SHAPES["flux"]), "y.bin": b"123"})
    for name in ("../x", "/x", "none.bin"):
        with pytest.raises(UserError):
            delete(settings, folder, part=name)
    assert delete(settings, folder, part="y.bin") == {"bytes": 3}
    assert len(list((folder / "blobs").iterdir())) == 1
    assert list(found(settings)) == ["a/b/x.safetensors"]


def test_a_part_of_what_has_no_parts_takes_nothing_with_it(settings):
    folder = settings.models_dir / "diffusers"
    write(folder / "x.safetensors", SHAPES["flux"])
    single = write(settings.models_dir / "y.safetensors", SHAPES["flux"])
    for path in (folder, single, settings.hf_home / "hub" / "models--a--gone"):
        for part in (library.OLDER, "x.safetensors"):
            with pytest.raises(UserError):
                delete(settings, path, part=part)
    assert (folder / "x.safetensors").exists()
    assert single.exists()


def test_nothing_outside_the_known_places_is_ever_removed(settings, tmp_path):
    outside = write(tmp_path / "mine" / "x.safetensors", SHAPES["flux"])
    (settings.hf_home / "hub").mkdir(parents=True)
    settings.models_dir.mkdir(parents=True)
    (settings.models_dir / "way").symlink_to(outside.parent)
    (settings.models_dir / "link.safetensors").symlink_to(outside)
    for path in (
        outside,
        settings.models_dir,
        settings.hf_home / "hub",
        settings.models_dir / ".." / ".." / "mine" / "x.safetensors",
        settings.models_dir / "way" / "x.safetensors",
    ):
        with pytest.raises(UserError):
            delete(settings, path)
    delete(settings, settings.models_dir / "link.safetensors")
    assert outside.exists()
    assert not (settings.models_dir / "link.safetensors").exists()


def test_a_library_that_cannot_be_read_is_an_empty_one(settings):
    settings.models_dir.mkdir(parents=True)
    for text in ("", "[]", '{"entries": [{"nonsense": 1}], "at": 1, "folders": [], "notes": []}'):
        (settings.models_dir / library.FILE).write_text(text)
        assert library.read(settings).entries == ()


def test_a_name_that_is_no_text_does_not_end_the_look_at_the_others(settings):
    write(settings.models_dir / "good.safetensors", SHAPES["sdxl"])
    (settings.models_dir / os.fsdecode(b"caf\xe9.safetensors")).write_bytes(b"x")
    folder = settings.models_dir / "diffusers"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / os.fsdecode(b"n\xe9.txt")).write_bytes(b"x")
    assert set(found(settings)) == {"good.safetensors", "diffusers"}


def test_an_entry_that_became_another_path_since_it_was_shown_is_left_alone(settings, tmp_path):
    path = write(settings.models_dir / "a.safetensors", SHAPES["sdxl"])
    other = write(settings.models_dir / "b.safetensors", SHAPES["sdxl"])
    key = found(settings)["a.safetensors"].key
    with pytest.raises(UserError, match=r"has changed since\. Look again"):
        delete(settings, other, key)
    assert path.exists()
    assert other.exists()


def test_what_may_not_be_looked_at_hides_no_other_model(settings, monkeypatch):
    for name in ("a", "b"):
        write(settings.models_dir / f"{name}.safetensors", SHAPES["sdxl"])
    write(settings.models_dir / "closed" / "c.safetensors", SHAPES["sdxl"])
    real = Path.is_dir

    def closed(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "is_dir", closed)
    assert list(found(settings)) == ["a.safetensors", "b.safetensors"]


def test_an_index_nested_without_end_is_a_broken_model_and_hides_no_other(settings):
    write(settings.models_dir / "a.safetensors", SHAPES["sdxl"])
    deep = settings.models_dir / "deep"
    deep.mkdir()
    (deep / "model_index.json").write_text("[" * 100_000)
    cached(settings, "a/b", {"model_index.json": b"[" * 100_000})
    entries = found(settings)
    assert entries["a.safetensors"].complete
    assert (entries["deep"].kind, entries["deep"].complete) == ("broken", False)
    assert not entries["a/b"].complete

"""What stops a training is told before it starts, at the cost of one listing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from app.datasets import look, looking, seeing

BOTH = ("kohya_ss", "ai-toolkit")


def picture(path, size=(64, 48), **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 60)).save(path, **how)
    return path


def dog(folder, count=3, captions=True):
    for number in range(count):
        picture(folder / f"{number}.png")
        if captions:
            (folder / f"{number}.txt").write_text("ohwx dog")
    return folder


def looked(path, engine="kohya_ss", seconds=60.0, **how):
    return look(path, caption_extension=".txt", engine=engine, decode_seconds=seconds, **how)


@pytest.mark.parametrize("engine", BOTH)
def test_a_good_folder_gives_sizes_and_captions_and_no_complaint(tmp_path, engine):
    dog(tmp_path)
    picture(tmp_path / "wide.jpg", (128, 32))
    (tmp_path / "wide.txt").write_text("ohwx dog, wide")
    report = looked(tmp_path, engine)
    assert report.facts.sizes == ((64, 48, 3), (128, 32, 1))
    assert (report.facts.images, report.facts.captions, report.decoded) == (4, 4, 4)
    assert (report.errors, report.warnings, report.complete) == ((), (), True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "There is no folder"),
        ("file", "is a file"),
        ("empty", "holds no pictures"),
        ("x" * 300, "no usable folder name"),
        ("none\0none", "folder"),
    ],
)
def test_a_folder_that_is_none_is_told_in_a_sentence(tmp_path, name, told):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    report = looked(tmp_path / name)
    assert told in report.errors[0]
    assert report.facts.images == 0


def test_a_truncated_picture_is_found_where_its_header_is_fine(tmp_path):
    path = picture(dog(tmp_path) / "torn.jpg", (256, 256), quality=95)
    os.truncate(path, path.stat().st_size // 2)
    assert looked(tmp_path, seconds=0).errors == ()
    (error,) = looked(tmp_path).errors
    assert "torn.jpg" in error
    assert "truncated" in error


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_named(tmp_path, content):
    (dog(tmp_path) / "odd.png").write_bytes(content)
    assert "odd.png" in looked(tmp_path, seconds=0).errors[0]


def test_the_first_three_are_named_and_the_others_counted(tmp_path):
    for number in range(7):
        (tmp_path / f"odd{number}.png").write_bytes(b"")
    assert "and 4 more" in looked(tmp_path).errors[0]


def test_an_empty_caption_stops_kohya_and_only_kohya(tmp_path):
    (dog(tmp_path) / "1.txt").write_text("")
    assert "1.txt" in looked(tmp_path, "kohya_ss", 0).errors[0]
    assert looked(tmp_path, "ai-toolkit").errors == ()


@pytest.mark.parametrize("engine", BOTH)
def test_a_caption_that_is_not_utf_8_is_an_error(tmp_path, engine):
    (dog(tmp_path) / "1.txt").write_bytes("größe".encode("latin-1"))
    assert "1.txt: it is not UTF-8" in looked(tmp_path, engine).errors[0]


def test_pictures_without_a_caption_are_counted(tmp_path):
    dog(tmp_path, 2)
    dog(tmp_path / "more", 3, captions=False)
    assert looked(tmp_path, "ai-toolkit").warnings == (
        f"{tmp_path.name}: 3 of 5 pictures have no .txt caption.",
    )


def test_the_case_of_an_ending_counts_for_kohya_only(tmp_path):
    for name in ("a.png", "b.PNG", "c.Png"):
        picture(tmp_path / name, format="png")
    kohya, toolkit = looked(tmp_path), looked(tmp_path, "ai-toolkit")
    assert (kohya.facts.images, toolkit.facts.images) == (2, 3)
    assert "kohya_ss skips 1 pictures for their ending, such as c.Png" in " ".join(kohya.warnings)


def test_sub_folders_count_for_ai_toolkit_only_and_kohya_says_where_to_point(tmp_path):
    dog(tmp_path / "front view")
    assert looked(tmp_path, "ai-toolkit").facts.images == 3
    (error,) = looked(tmp_path, "kohya_ss").errors
    assert "kohya_ss does not look into them" in error
    assert "only folders (front view)" in error
    assert "name the folder that holds the pictures" in error
    dog(tmp_path)
    assert "does not look into its folders" in " ".join(looked(tmp_path).warnings)


def test_hidden_files_and_the_caches_of_the_engines_are_no_pictures(tmp_path):
    dog(tmp_path, 1)
    for name in (".thumbs/a.png", "_controls/a.png", "_latent_cache/a.png", ".hidden.png"):
        picture(tmp_path / name)
    assert looked(tmp_path, "ai-toolkit").facts.images == 1


def test_a_link_in_a_circle_is_not_followed_and_a_linked_picture_is(tmp_path):
    dog(tmp_path / "set", 2)
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "linked.png").symlink_to(picture(tmp_path / "other" / "x.png"))
    (tmp_path / "set" / "dangling.png").symlink_to(tmp_path / "none.png")
    assert looked(tmp_path / "set", "ai-toolkit").facts.images == 3


def test_a_picture_laid_on_its_side_is_measured_as_the_engine_reads_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "a.jpg", (80, 40), exif=exif)
    assert looked(tmp_path, "ai-toolkit").facts.sizes == ((40, 80, 1),)
    assert looked(tmp_path, "kohya_ss").facts.sizes == ((80, 40, 1),)


def test_videos_are_for_video_families(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"video")
    assert "only video families" in looked(tmp_path, "ai-toolkit").errors[0]
    report = looked(tmp_path, "ai-toolkit", material="clips")
    assert (report.errors, report.facts.images) == ((), 0)


def test_sound_is_for_audio_families_and_they_read_nothing_else(tmp_path):
    dog(tmp_path)
    assert "holds no sound" in looked(tmp_path, "ai-toolkit", material="sound").errors[0]
    (tmp_path / "song.MP3").write_bytes(b"sound")
    report = looked(tmp_path, "ai-toolkit", material="sound")
    assert (report.errors, report.facts.images) == ((), 0)


def test_looking_again_reads_nothing_that_has_not_changed(tmp_path, monkeypatch):
    dog(tmp_path)
    first = looked(tmp_path)
    read = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda path: read.append(path.name) or real(path))
    assert looked(tmp_path) == first
    assert looked(tmp_path, seconds=0).facts == first.facts
    assert read == []
    picture(tmp_path / "1.png", (100, 100))
    os.utime(tmp_path / "1.png", ns=(1, 1))
    assert (100, 100, 1) in looked(tmp_path).facts.sizes
    assert read == ["1.png"]


def test_a_removed_picture_is_forgotten(tmp_path):
    dog(tmp_path)
    looked(tmp_path)
    (tmp_path / "1.png").unlink()
    assert looked(tmp_path).facts.images == 2


def test_a_look_that_runs_out_of_time_estimates_and_the_next_goes_on(tmp_path, monkeypatch):
    dog(tmp_path, 6)
    clock = iter(range(1000))
    monkeypatch.setattr("app.datasets.looking.time.monotonic", lambda: next(clock))
    first = looked(tmp_path, seconds=0)
    assert not first.complete
    assert first.facts.images == 6
    assert "2 of 6 pictures are measured so far" in " ".join(first.warnings)
    second = looked(tmp_path, seconds=0)
    third = looked(tmp_path, seconds=0)
    assert (second.complete, third.complete) == (False, True)


def test_a_folder_with_too_many_files_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("app.datasets.walking.MOST_FILES", 4)
    dog(tmp_path, 6)
    report = looked(tmp_path)
    assert report.facts.images == 2
    assert "more files than are looked at" in " ".join(report.warnings)


def test_only_so_much_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(seeing, "MOST_REMEMBERED", 10)
    memory = seeing.Memory()
    for name in "abc":
        seen = {f"{name}{n}": seeing.Seen(1, 1) for n in range(6)}
        memory.keep(tmp_path / name, seen)
    assert memory.recall(tmp_path / "a") == memory.recall(tmp_path / "b") == {}
    assert len(memory.recall(tmp_path / "c")) == 6


@pytest.mark.parametrize(("engine", "fatal"), [("ai-toolkit", True), ("kohya_ss", False)])
def test_a_folder_that_cannot_be_written_stops_ai_toolkit_only(
    tmp_path, monkeypatch, engine, fatal
):
    dog(tmp_path)
    real = os.access
    # Root may write everywhere, so the file system is asked in its place.
    monkeypatch.setattr(
        "app.datasets.telling.os.access", lambda path, mode: mode != os.W_OK and real(path, mode)
    )
    report = looked(tmp_path, engine)
    assert ("cannot be written" in " ".join(report.errors)) is fatal
    assert ("cannot be written" in " ".join(report.warnings)) is not fatal


def test_a_name_with_odd_characters_is_a_name(tmp_path):
    folder = dog(tmp_path / "ünï [x] *? 'quo\"te")
    assert looked(folder).facts.images == 3


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_picture_is_no_crash(tmp_path, monkeypatch):
    picture(tmp_path / "a.png", (400, 400))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "a.png" in looked(tmp_path).errors[0]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    picture(tmp_path / "a.png", (401, 401))
    assert looked(tmp_path).errors == ()


def test_a_second_look_at_a_thousand_pictures_is_quick(tmp_path):
    one = picture(tmp_path / "0.png").read_bytes()
    for number in range(1, 1000):
        (tmp_path / f"{number}.png").write_bytes(one)
    looked(tmp_path, seconds=0)
    begin = time.process_time()
    looked(tmp_path, seconds=0)
    assert time.process_time() - begin < 0.2


def test_pictures_whose_names_are_no_text_are_told_since_they_are_not_counted(tmp_path):
    dog(tmp_path)
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes((tmp_path / "0.png").read_bytes())
    report = looked(tmp_path)
    assert report.facts.sizes == ((64, 48, 3),)
    assert any("1 name is not UTF-8 text and not counted (caf?.png)" in w for w in report.warnings)


def test_a_folder_that_may_not_be_listed_is_told_in_a_sentence(tmp_path, monkeypatch):
    def closed(_root, *, recursive):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(looking, "walk", closed)
    report = looked(dog(tmp_path / "dog"))
    assert report.errors == (f"{tmp_path / 'dog'} cannot be read: Permission denied.",)


def test_a_caption_that_may_not_be_read_is_told_before_it_ends_a_run(tmp_path, monkeypatch):
    real = Path.read_text

    def closed(path, *given, **more):
        if path.name == "1.txt":
            raise PermissionError(13, "Permission denied")
        return real(path, *given, **more)

    monkeypatch.setattr(Path, "read_text", closed)
    [error] = looked(dog(tmp_path / "dog")).errors
    assert error.startswith("Captions that cannot be read would stop the run: 1.txt")

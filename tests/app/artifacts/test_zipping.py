"""The zip of all artifacts: laid out beforehand, so that any range of it can be served."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import zipfile

import pytest

from app.artifacts.zipping import StoredZip


def members(tmp_path, *sizes):
    made = []
    for number, size in enumerate(sizes):
        path = tmp_path / f"file {number} ü.bin"
        path.write_bytes(random.Random(number).randbytes(size))
        made.append((f"folder/{path.name}", path))
    return made


def whole(archive):
    return b"".join(archive.read(0, archive.size))


def test_the_archive_holds_every_file_and_has_the_length_it_promised(tmp_path):
    made = members(tmp_path, 0, 1, 70_000, 2_500_000)
    archive = StoredZip(made)
    data = whole(archive)
    assert len(data) == archive.size
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [name for name, _ in made]
        assert all(opened.read(name) == path.read_bytes() for name, path in made)


@pytest.mark.parametrize("limit", [None, 50_000])
def test_any_range_is_the_same_bytes(tmp_path, monkeypatch, limit):
    if limit:
        monkeypatch.setattr("app.artifacts.zipping._LIMIT", limit)
    archive = StoredZip(members(tmp_path, 100, 0, 60_000, 1_100_000))
    data = whole(archive)
    assert len(data) == archive.size
    dice = random.Random(7)
    for _ in range(200):
        start, end = sorted((dice.randint(0, archive.size), dice.randint(0, archive.size)))
        assert b"".join(archive.read(start, end)) == data[start:end]
    for at in range(archive.size - 700, archive.size):
        assert b"".join(archive.read(at, at + 1)) == data[at : at + 1]


def test_a_download_in_pieces_after_a_restart_continues_the_same_archive(tmp_path):
    made = members(tmp_path, 1000, 3_000_000)
    first = StoredZip(made)
    begun = b"".join(first.read(0, 1_234_567))
    again = StoredZip(made)
    assert again.etag == first.etag
    with zipfile.ZipFile(io.BytesIO(begun + b"".join(again.read(1_234_567, again.size)))) as opened:
        assert opened.testzip() is None


def test_laying_out_reads_no_file_and_the_first_byte_waits_for_the_first_file_only(
    tmp_path, monkeypatch
):
    made = members(tmp_path, 1000, 1000)
    made[1][1].chmod(0o600)
    read = []
    monkeypatch.setattr(
        "app.artifacts.zipping._file_part", lambda m, a, b: read.append(m.path) or iter(())
    )
    archive = StoredZip(made)
    assert read == []
    next(archive.read(0, archive.size))
    assert read == [made[0][1]]


@pytest.mark.parametrize("change", ["shorter", "gone", "rewritten"])
def test_a_file_that_changes_meanwhile_breaks_the_download_and_is_not_sent_wrong(tmp_path, change):
    made = members(tmp_path, 1000, 5000)
    archive = StoredZip(made)
    path = made[1][1]
    if change == "shorter":
        os.truncate(path, 10)
    elif change == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(5000))
        os.utime(path, ns=(1, 1))
    with pytest.raises(OSError, match=r"file 1"):
        whole(archive)


def test_a_file_that_is_cut_while_it_is_sent_breaks_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr("app.artifacts.zipping._BLOCK", 100)
    made = members(tmp_path, 5000)
    archive = StoredZip(made)

    def sent():
        count = 0
        for piece in archive.read(0, archive.size):
            count += len(piece)
            if count > 200:
                os.truncate(made[0][1], 200)
            yield piece

    with pytest.raises(OSError, match="became shorter while it was being sent"):
        b"".join(sent())


def test_the_tag_changes_with_any_member(tmp_path):
    made = members(tmp_path, 10, 20)
    tags = {StoredZip(made).etag, StoredZip(made[:1]).etag}
    os.utime(made[0][1], ns=(5, 5))
    tags.add(StoredZip(made).etag)
    assert len(tags) == 3


def test_more_than_four_gigabytes_are_readable_by_other_programs(tmp_path):
    """The whole archive is never built: a reader that seeks asks for ranges."""
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate((1 << 32) + 5)
    last = tmp_path / "last.txt"
    last.write_text("the end")
    archive = StoredZip([("huge.bin", huge), ("last.txt", last)])
    # Summing four gigabytes of zeros is no part of what is shown here.
    from app.artifacts import zipping

    stat = huge.stat()
    zipping._crcs[huge, stat.st_mtime_ns, stat.st_size] = 0

    class Ranges(io.RawIOBase):
        at = 0

        def seekable(self):
            return True

        def readable(self):
            return True

        def seek(self, offset, whence=0):
            self.at = offset + (0, self.at, archive.size)[whence]
            return self.at

        def tell(self):
            return self.at

        def readinto(self, buffer):
            data = b"".join(archive.read(self.at, min(self.at + len(buffer), archive.size)))
            buffer[: len(data)] = data
            self.at += len(data)
            return len(data)

    with zipfile.ZipFile(io.BufferedReader(Ranges())) as opened:
        assert opened.getinfo("huge.bin").file_size == (1 << 32) + 5
        assert opened.read("last.txt") == b"the end"


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip on this machine")
def test_unzip_finds_no_fault(tmp_path):
    path = tmp_path / "all.zip"
    path.write_bytes(whole(StoredZip(members(tmp_path, 10, 0, 2_000_000))))
    done = subprocess.run(["unzip", "-tq", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_empty_archive_is_one(tmp_path):
    assert zipfile.ZipFile(io.BytesIO(whole(StoredZip([])))).namelist() == []

"""Measures datasets on the real program: import, upload, scan. Prints a table.

``scripts/bench.sh datasets``; BENCH_IMAGES for another number of pictures than 10,000. The ratios
compare with the plain way on the same machine in the same sitting; absolute times mean little.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from app.datasets import thumbnails
from tests.bench.dataset_pages import bench_editing
from tests.bench.limits import Bare, in_turn, running, seconds_of
from tests.bench.table import Table, watch
from tests.support.server import Server
from tests.support.wait import until

IMAGES = int(os.environ.get("BENCH_IMAGES", "10000"))
UPLOAD_BYTES = int(os.environ.get("BENCH_UPLOAD_MB", "1000")) * 1_000_000
PIECE = 48_000_000
_PATIENCE = 3600


def pictures(folder: Path, count: int) -> None:
    """So many JPEGs of 1024x1024 with captions. Fifty are drawn, the rest differ in their tail."""
    folder.mkdir(parents=True)
    drawn = []
    for seed in range(min(50, count)):
        rng = random.Random(seed)
        small = Image.new("RGB", (128, 128))
        small.putdata([tuple(rng.randrange(256) for _ in range(3)) for _ in range(128 * 128)])
        out = io.BytesIO()
        small.resize((1024, 1024), Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
        drawn.append(out.getvalue())
    for index in range(count):
        # Whatever follows the end of a JPEG is no part of the picture, and makes the file another one.
        (folder / f"{index:05}.jpg").write_bytes(
            drawn[index % len(drawn)] + index.to_bytes(4, "big")
        )
        (folder / f"{index:05}.txt").write_text(f"ohwx dog, picture {index}, outdoors, grass")


def pack(folder: Path, archive: Path) -> None:
    """A zip as people make them: deflated, in one folder."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, f"dog/{path.name}")


def plain_way(archive: Path, folder: Path) -> float:
    """Seconds of ``unzip`` and one pass of thumbnails with Pillow, one after the other."""
    with watch() as whole:
        subprocess.run(["unzip", "-q", str(archive), "-d", str(folder)], check=True)
        for path in sorted(folder.glob("dog/*.jpg")):
            thumbnails.make(path, folder / "thumbs" / f"{path.stem}.webp")
    shutil.rmtree(folder)
    return whole.seconds


def post(server: Server, path: str, body: Any) -> Any:
    return call(server, "POST", path, json.dumps(body).encode(), "application/json")


def call(
    server: Server, method: str, path: str, body: Any, kind: str, size: int | None = None
) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    headers = {"Content-Type": kind, "Accept": "application/json"}
    if size is not None:
        headers["Content-Length"] = str(size)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
    return json.loads(text) if answer.status == 200 else None


def create(server: Server, name: str) -> int:
    form = f"name={name}".encode()
    return int(call(server, "POST", "/datasets", form, "application/x-www-form-urlencoded")["id"])


def begin(server: Server, dataset: int, file: Path) -> str:
    about = {"name": file.name, "size": file.stat().st_size, "modified": "1"}
    return str(post(server, f"/datasets/{dataset}/uploads", {"files": [about]})["uploads"][0]["id"])


class Part(io.RawIOBase):
    """A piece of a file, read as it is sent."""

    def __init__(self, file: Path, offset: int, size: int) -> None:
        self._file = file.open("rb")
        self._file.seek(offset)
        self._left = size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(self._left, size if size > 0 else self._left))
        self._left -= len(data)
        if not data:
            self._file.close()
        return data


def send(server: Server, dataset: int, upload: str, file: Path, piece: int = PIECE) -> None:
    size = file.stat().st_size
    for offset in range(0, size, piece):
        part = min(piece, size - offset)
        address = f"/datasets/{dataset}/uploads/{upload}?offset={offset}"
        call(server, "PUT", address, Part(file, offset, part), "application/octet-stream", part)


def done(server: Server, task: int) -> None:
    """Wait until a task and what it started are over."""
    import sqlite3

    def over() -> bool:
        rows = sqlite3.connect(f"file:{server.data / 'lora.db'}?mode=ro", uri=True)
        try:
            states = dict(rows.execute("SELECT id, state FROM task").fetchall())
            error = rows.execute("SELECT error FROM task WHERE state = 'failed'").fetchone()
        finally:
            rows.close()
        if error:
            raise RuntimeError(error[0])
        return states.get(task) == "done" and set(states.values()) == {"done"}

    until(over, _PATIENCE, "the tasks are done", interval=0.05)


def bench_import(table: Table, server: Server, folder: Path) -> int:
    """The zip in, with thumbnails, against the plain way; returns the dataset."""
    source, archive = folder / "source", folder / "dog.zip"
    pictures(source, IMAGES)
    pack(source, archive)
    shutil.rmtree(source)
    table.add("pictures, and the zip's size", f"{IMAGES}, {archive.stat().st_size / 1e9:.2f} GB")
    before = plain_way(archive, folder / "plain")
    dataset = create(server, "dog")
    upload = begin(server, dataset, archive)
    send(server, dataset, upload, archive)
    with watch() as ours:
        task = post(server, f"/datasets/{dataset}/uploads/import", {"ids": [upload]})["task"]
        done(server, task)
    # Before and after, since whoever shares the machine comes and goes.
    theirs = (before + plain_way(archive, folder / "plain")) / 2
    table.ratio("import with thumbnails, against unzip and thumbnails", ours.seconds, theirs, 1.5)
    archive.unlink()
    with watch() as report:
        call(
            server, "POST", f"/datasets/{dataset}/report", b"", "application/x-www-form-urlencoded"
        )
        done(server, task)
    table.add("health report of them right after the import", f"{report.seconds:.1f} s")
    return dataset


def bench_scan(table: Table, server: Server, dataset: int) -> None:
    """The list of datasets right after a change in the folder, and the page of the list."""
    path = server.data / "datasets" / "dog"
    (path / "new.txt").write_text("x")
    for label in (
        "scan after one change, with the page of the list",
        "page of the list, nothing new",
    ):
        with watch() as once:
            with_body(server, "/datasets")
        table.add(label, f"{once.seconds * 1000:.0f} ms")
        time.sleep(3.5)


def with_body(server: Server, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request("GET", path)
    size = len(connection.getresponse().read())
    connection.close()
    return size


def put_whole(bare: Bare, file: Path) -> None:
    """The same bytes in one request to a server that does nothing else with them."""
    size = file.stat().st_size
    call(bare, "PUT", "/up", Part(file, 0, size), "application/octet-stream", size)


def upload(server: Server, file: Path) -> float:
    """Seconds that a file takes in pieces, into a dataset of its own."""
    dataset = create(server, f"large {time.monotonic_ns()}")
    with watch() as whole:
        send(server, dataset, begin(server, dataset, file), file)
    shutil.rmtree(server.data / "uploads" / str(dataset))
    return whole.seconds


def bench_upload(table: Table, server: Server, folder: Path) -> None:
    """One large file in pieces, against one request to a bare Flask."""
    file = folder / "large.mp4"
    with file.open("wb") as out:
        block = os.urandom(1 << 20)
        for _ in range(UPLOAD_BYTES >> 20):
            out.write(block)
    (folder / "bare").mkdir()
    bare = Bare(folder / "bare", file)
    with running(bare):
        theirs, ours = in_turn(
            lambda: seconds_of(lambda: put_whole(bare, file)), lambda: upload(server, file)
        )
    label = f"upload of {UPLOAD_BYTES / 1e9:g} GB in pieces of 48 MB, against one request"
    table.ratio(label, ours, theirs, 1.3)
    shutil.rmtree(folder / "bare")
    file.unlink()


def main() -> int:
    """Measure on a fresh server; each bench gets the same one."""
    table = Table()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        server = Server(folder / "one", {})
        server.data.mkdir(parents=True)
        server.start()
        try:
            bench_upload(table, server, folder)
            dataset = bench_import(table, server, folder)
            bench_scan(table, server, dataset)
        finally:
            server.kill()
        bench_editing(table, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

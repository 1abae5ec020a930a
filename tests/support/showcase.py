"""A server with everything on its pages: jobs that are over, run and wait, samples, a dataset."""

from __future__ import annotations

import math
import random
import time
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from app.jobs.curves import Curves
from app.jobs.points import Point, append_points, read_points
from app.jobs.rundir import RunDir
from tests.support import chaos, engines
from tests.support.server import Server
from tests.support.wait import until

PROMPTS = ("ohwx dog on a beach at sunset", "a portrait of ohwx dog", "a lighthouse in the snow")
FINISHED, RUNNING, HELD, CANCELLED = 1, 2, 3, 4
PAGES = {
    "jobs": "/", "new-job": "/jobs/new?family=sd15", "import": "/jobs/import", "job": f"/jobs/{RUNNING}",
    "finished": f"/jobs/{FINISHED}", "cancelled": f"/jobs/{CANCELLED}", "held": f"/jobs/{HELD}",
    "stop": f"/jobs/{RUNNING}/stop", "samples": f"/jobs/{FINISHED}/samples",
    "other-engine": f"/jobs/{FINISHED}/for/kohya_ss",
    "compare": f"/compare?jobs={FINISHED}&jobs={RUNNING}",
    "datasets": "/datasets", "dataset": "/datasets/1", "health": "/datasets/1/health",
    "models": "/models", "machine": "/machine", "machines": "/machines", "meter": "/meter", "engines": "/engines",
    "settings": "/settings", "access": "/access", "selfcheck": "/selfcheck",
    "system": "/system", "api": "/api", "login": "/login",
}  # fmt: skip


def prepare(folder: Path) -> Server:
    """Starts it; ``end`` stops what runs."""
    made = {**engines.make(folder / "engines"), "STANDIN_SECONDS": "0.05"}
    server = Server(folder, made)
    dogs(server.data / "datasets" / "dogs")
    server.start()
    try:
        fill(server, chaos.document(folder))
    except BaseException:
        server.kill()
        raise
    return server


def fill(server: Server, plain: dict[str, Any]) -> None:
    """Four jobs of four states, made through the API."""
    with urllib.request.urlopen(f"{server.url}/datasets", timeout=10):
        pass  # the page looks for new folders
    document = {
        **plain, "trigger_word": "ohwx dog", "engine": "ai-toolkit",
        "sampling": {"prompts": list(PROMPTS), "every_steps": 1000, "width": 512, "height": 512},
    }  # fmt: skip
    document["datasets"] = [{"path": str(server.data / "datasets" / "dogs"), "resolution": [512]}]
    wanted = (
        {"name": "ohwx-dog", "length": {"steps": 60}, "saving": {"every_steps": 20}},
        {"name": "ohwx-dog-rank-8", "length": {"steps": 4000}, "saving": {"every_steps": 500}},
    )
    for changes in wanted:
        server.post("/api/v1/jobs", {**document, **changes})
    server.wait_for(FINISHED, "succeeded")
    until(lambda: server.job(RUNNING)["step"] > 40, 60, "the second job is on its way")
    for job, name in ((FINISHED, "ohwx-dog"), (RUNNING, "ohwx-dog-rank-8")):
        for step in (0, 20, 40, 60):
            samples(server.data / f"jobs/{job}/output/{name}/samples", step)
        losses(RunDir(server.data / f"jobs/{job}"), 400)
    held = {**document, "name": "paper-cut-style", "engine": "kohya_ss", "sampling": {}}
    server.post("/api/v1/jobs?hold=1", held)
    server.post("/api/v1/jobs?hold=1", {**document, "name": "second-thoughts"})
    server.post(f"/api/v1/jobs/{CANCELLED}/stop")


def dogs(folder: Path) -> None:
    """A small dataset, one caption of it missing."""
    folder.mkdir(parents=True)
    for number in range(12):
        picture(folder / f"dog {number:02}.png", number * 5, (640, 512 + number % 3 * 128))
        if number:
            (folder / f"dog {number:02}.txt").write_text(f"ohwx dog, on grass, number {number}")


def samples(folder: Path, step: int) -> None:
    """One of each prompt, as ai-toolkit names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in range(len(PROMPTS)):
        path = folder / f"1795444136000__{step:09}_{prompt}.png"
        picture(path, step + prompt * 70, (512, 512))


def losses(run: RunDir, steps: int) -> None:
    """A curve as a training draws it: down, noisy, and one spike."""
    # Taken in as the runner takes them in, which hears nothing of these.
    numbers, now = random.Random(1), time.time()
    append_points(
        run.metrics,
        [
            Point(1, step, now - (steps - step) / 20, _loss(step, numbers), 1e-4)
            for step in range(1, steps)
        ],
    )
    Curves(run.curves).build(read_points(run.metrics))


def _loss(step: int, numbers: random.Random) -> float:
    return 0.12 * math.exp(-step / 120) + 0.06 + numbers.gauss(0, 0.012) + 0.3 * (step == 140)


def picture(path: Path, seed: int, size: tuple[int, int]) -> None:
    """Hills under a sky; ``seed`` moves the light and the hills."""
    width, height = size
    sky = (120 + seed % 110, 150 + seed * 3 % 60, 205 - seed % 70)
    image = Image.new("RGB", size, sky)
    draw = ImageDraw.Draw(image)
    sun = width * (20 + seed % 60) // 100
    draw.ellipse((sun - 45, 60, sun + 45, 150), fill=(255, 226, 170))
    for hill in range(3):
        tint = tuple(int(part * (0.62 - hill * 0.16)) for part in (sky[2], sky[1], sky[0]))
        base = height * (55 + hill * 14) / 100
        edge = [(x, base + 40 * math.sin(x / 90 + seed + hill * 2)) for x in range(0, width + 9, 8)]
        draw.polygon([*edge, (width, height), (0, height)], fill=tint)
    image.save(path)


def end(server: Server) -> None:
    """Stop what runs, then the server."""
    try:
        server.post(f"/api/v1/jobs/{RUNNING}/stop")
        server.wait_for(RUNNING, "cancelled")
    finally:
        server.kill()

"""A server with everything on its pages: jobs in every state, samples, datasets, models."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

from tests.support import engines, models, nvml, showcase_past, showcase_pictures
from tests.support.server import Server
from tests.support.wait import until

PROMPTS = ("ohwx dog on a beach at sunset", "a portrait of ohwx dog", "a lighthouse in the snow")
FINISHED, OTHER, FAILED, RUNNING, QUEUED, HELD, CANCELLED = 1, 2, 3, 4, 5, 6, 7
STEPS, BEGUN, LONGER = 1500, 1200, 3000
BIRTH = """Loading the base model
  unet: 1680 tensors, fp16
  text encoder 1: 196 tensors, fp16
  text encoder 2: 517 tensors, fp16
Making the adapter: 48 modules
Caching latents to disk: 20 of 20
Training starts"""
DEATH = """Traceback (most recent call last):
  File "train.py", line 412, in step
    loss.backward()
  File "autograd.py", line 88, in backward
    run(self, gradient)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB."""
PAGES = {
    "jobs": "/", "new-job": "/jobs/new?family=sdxl", "import": "/jobs/new?import", "job": f"/jobs/{RUNNING}",
    "finished": f"/jobs/{FINISHED}", "failed": f"/jobs/{FAILED}",
    "cancelled": f"/jobs/{CANCELLED}", "held": f"/jobs/{HELD}",
    "stop": f"/jobs/{RUNNING}/stop", "samples": f"/jobs/{FINISHED}/samples",
    "log": f"/jobs/{FAILED}/log/read",
    "other-engine": f"/jobs/{FINISHED}/for/kohya_ss",
    "compare": f"/compare?jobs={FINISHED}&jobs={OTHER}",
    "datasets": "/datasets", "dataset": "/datasets/1", "health": "/datasets/1/health",
    "models": "/models", "machine": "/machine", "machines": "/machines", "costs": "/meter", "engines": "/engines",
    "settings": "/settings", "access": "/access", "selfcheck": "/selfcheck",
    "system": "/system", "api": "/api", "login": "/login", "glossary": "/glossary",
}  # fmt: skip


def prepare(folder: Path, pace: float = 0.3, **env: str) -> Server:
    """Starts it; ``end`` stops what runs. ``pace``: seconds a step of the job that runs."""
    made = {
        **engines.make(folder / "engines"), **gpu(folder), "PRICE_PER_HOUR": "0.42",
        "STANDIN_SECONDS": "0", "STANDIN_ARGUMENTS": f"--lifelike --say '{BIRTH}'", "STANDIN_BATCHES": "27",
        "HF_HOME": str(folder / "huggingface"), **env,
    }  # fmt: skip
    server = Server(folder, made)
    showcase_pictures.datasets(server.data / "datasets")
    model = models.sparse(
        server.data / "models/sd_xl_base_1.0.safetensors", models.SHAPES["sdxl"], 6_938_000_000
    )
    models.sparse(
        server.data / "models/flux1-dev.safetensors", models.SHAPES["flux"], 23_800_000_000
    )
    models.sparse(
        server.data / "models/vae/sdxl_vae.safetensors", models.OTHERS["vae"], 335_000_000
    )
    document = spec(server.data / "datasets" / "ohwx dog", model)
    try:
        past(server, document)
        present(server, document, pace)
    except BaseException:
        server.kill()
        raise
    return server


def gpu(folder: Path) -> dict[str, str]:
    """A card, where a C compiler can make the library that tells of one."""
    if nvml.COMPILER is None:
        return {}
    return {
        **nvml.build(folder / "nvml"), "DOUBLE_COUNT": "1", "DOUBLE_BUS_0": "1",
        "DOUBLE_NAME_0": "NVIDIA GeForce RTX 4090", "DOUBLE_USED_0": str(folder / "nvml/used"),
        "DOUBLE_LOAD_0": "97", "DOUBLE_CELSIUS_0": "64", "DOUBLE_WATTS_0": "318",
    }  # fmt: skip


def spec(dataset: Path, model: Path) -> dict[str, Any]:
    """What all the jobs here have in common."""
    return {
        "name": "ohwx-dog", "family": "sdxl", "engine": "ai-toolkit", "base_model": str(model),
        "trigger_word": "ohwx dog", "datasets": [{"path": str(dataset), "repeats": 5}],
        "length": {"steps": STEPS}, "network": {"rank": 16}, "saving": {"every_steps": 500},
        "sampling": {"prompts": list(PROMPTS), "every_steps": 250},
    }  # fmt: skip


def past(server: Server, document: dict[str, Any]) -> None:
    """Three jobs that are over: they run as fast as they can and are then made to look older."""
    server.start()
    server.post("/api/v1/jobs", document)
    server.post("/api/v1/jobs", {**document, "name": "ohwx-dog-kohya", "engine": "kohya_ss"})
    for job in (FINISHED, OTHER):
        server.wait_for(job, "succeeded")
    server.kill()
    usual = server.env["STANDIN_ARGUMENTS"]
    server.env["STANDIN_ARGUMENTS"] = f"{usual} --fail-at 212 --exit-code 1 --last-words '{DEATH}'"
    server.start()
    server.post("/api/v1/jobs", {**document, "name": "paper-cut-style", "network": {"rank": 128}})
    server.wait_for(FAILED, "failed")
    server.kill()
    server.env["STANDIN_ARGUMENTS"] = usual
    for job in (FINISHED, OTHER):
        showcase_past.dress(server.data / f"jobs/{job}", PROMPTS, STEPS)
    showcase_past.age(server.data / "lora.db")


def present(server: Server, document: dict[str, Any], pace: float) -> None:
    """One job in the middle of its run, others that wait, and what else people set up."""
    server.env["STANDIN_SECONDS"] = str(pace)
    server.start()
    running = {
        **document, "name": "ohwx-dog-rank-32", "length": {"steps": LONGER}, "network": {"rank": 32}
    }  # fmt: skip
    server.post("/api/v1/jobs?hold=1", running)
    showcase_past.begin(server.data / f"jobs/{RUNNING}", running["name"], PROMPTS, BEGUN)
    server.form(f"/jobs/{RUNNING}/release")
    until(lambda: server.job(RUNNING)["step"] > BEGUN, 60, "the job is on its way")
    showcase_past.backdate(server.data / "lora.db", RUNNING, BEGUN)
    (server.data.parent / "nvml").mkdir(exist_ok=True)
    (server.data.parent / "nvml/used").write_text("13900000000")
    server.post("/api/v1/jobs", {**document, "name": "ohwx-dog-prodigy", "engine": "kohya_ss"})
    style = {**document, "trigger_word": "wtrclr", "name": "watercolour-style"}
    style["datasets"] = [{"path": str(server.data / "datasets" / "watercolour")}]
    server.post("/api/v1/jobs?hold=1", style)
    server.post("/api/v1/jobs?hold=1", {**document, "name": "second-thoughts"})
    server.post(f"/api/v1/jobs/{CANCELLED}/stop")
    with urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/datasets", headers=server.headers)
    ):
        pass  # the page looks for new folders
    server.form("/datasets/1/trigger", trigger_word="ohwx dog")
    server.form("/datasets/1/report")
    server.form("/models/look")
    server.form("/selfcheck/run")
    server.form(f"/jobs/{FINISHED}/report")
    server.form("/access/tokens", name="Anna, to look on", scope="read", job="")
    server.form("/access/tokens", name="The script that submits", scope="full", job="")
    server.form(
        "/settings/notifications", name="My phone", address="ntfy://a-topic-of-mine",
        events=["finished", "failed", "stalled"],
    )  # fmt: skip
    server.form(
        "/settings/deliveries", kind="s3", name="Loras", place="loras/{name}-{id}",
        endpoint="https://s3.example.com", key_id="key", key="secret", automatic="never",
        what=["lora", "samples"],
    )  # fmt: skip


def end(server: Server) -> None:
    """Stop what runs, let nothing else start, then the server."""
    try:
        server.form("/queue/pause")
        if server.job(RUNNING)["state"] == "running":  # all pages take as long as it does
            server.post(f"/api/v1/jobs/{RUNNING}/stop")
            server.wait_for(RUNNING, "cancelled")
    finally:
        server.kill()

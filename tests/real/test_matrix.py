"""Each family on each engine, with each thing that can be asked for, by the real trainers.

``pytest -m engine tests/real/test_matrix.py``: about 20 minutes on two idle cores. The runs that
passed are listed at the end. What the saved file says is held against what was asked.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engines.kohya_ss import optimizer as kohya_optimizer
from tests.real import cases
from tests.support.trained import Trained

pytestmark = [pytest.mark.engine, pytest.mark.slow]

FAMILIES = ("sd15", "sdxl")
CASES = [pytest.param(case, id=f"{case.engine}-{case.name}") for case in cases.KOHYA + cases.AITK]


def train(desk, record_property, label, changes) -> Trained:
    """Run the job by our command line; the LoRA it ends with."""
    began = time.monotonic()
    done = desk.lora("run", str(desk.spec(**changes)), "--json")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    job = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    assert job["step"] == job["total_steps"]
    seconds = time.monotonic() - began
    record_property(
        "run", f"{desk.family:5} {desk.engine:10} {label}: {job['step']} steps, {seconds:.0f} s"
    )
    trained = Trained(desk.data, job)
    assert trained.finite()
    assert trained.untrained() == []
    return trained


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES)
def test_it_trains_and_the_file_tells_what_was_asked(
    case, family, desk_for, tmp_path, record_property
):
    desk = desk_for(case.engine, family)
    pictures = tuple(
        cases.draw(desk.pictures, tmp_path / f"folder{place}", shapes)
        for place, (shapes, _) in enumerate(case.folders)
    )
    changes = case.changes(family, pictures)
    trained = train(desk, record_property, case.name, changes)
    asked = desk.document(**changes)
    check_network(asked, trained)
    check_common(asked, trained)
    check_pictures(case, asked, trained)
    if case.engine == "kohya_ss":
        check_kohya(asked, trained)
    else:
        check_aitk(asked, trained)
    if asked["optimizer"]["name"] == "prodigy":
        # The estimate d grows; a falling schedule hides that.
        rates = [point.learning_rate for point in trained.points()]
        assert 0 < rates[0] < 1e-5
        assert rates[-1] > rates[0] or "scheduler" in asked["optimizer"]
    drawn = [p for p in trained.path.parent.rglob("*") if p.suffix in (".png", ".jpg")]
    assert bool(drawn) == bool(asked["sampling"]["prompts"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("engine", ["kohya_ss", "ai-toolkit"])
def test_cached_pictures_are_the_same_pictures_and_min_snr_and_ema_weigh(
    engine, family, desk_for, tmp_path, record_property
):
    desk = desk_for(engine, family)
    folder = cases.draw(desk.pictures, tmp_path / "folder", cases.ONE)
    quick = {
        "datasets": [{"path": folder, "resolution": [128]}], "sampling": {"prompts": []},
        "optimizer": {"name": "adamw", "learning_rate": 1e-3}, "length": {"steps": 9},
    }  # fmt: skip
    uncached = {"memory": {**cases.PLAIN, "cache_latents": "none"}}
    plain = train(desk, record_property, "plain", {**quick, **uncached})
    weighed = {"loss": {"min_snr_gamma": 1.0}}
    if engine == "ai-toolkit":
        weighed["ema"] = {"enabled": True, "decay": 0.9}
    weighed = train(desk, record_property, "min-SNR", {**quick, **uncached, **weighed})
    pairs = list(zip(losses(plain), losses(weighed), strict=True))
    # Same seed, same noise: each step weighs at most as much as without.
    assert all(with_snr <= without * 1.02 for without, with_snr in pairs)
    assert any(with_snr < without * 0.9 for without, with_snr in pairs)
    if engine == "ai-toolkit":
        assert weighed.moved() < 0.9 * plain.moved()
    memory = {"memory": {**cases.PLAIN, "cache_latents": "disk"}}
    cached = train(desk, record_property, "cached", {**quick, **memory})
    means = [sum(losses(run)) / len(losses(run)) for run in (plain, cached)]
    assert means[0] == pytest.approx(means[1], rel=0.1)


def losses(trained):
    return [point.loss for point in trained.points()]


CACHED_TEXT = {"memory": {**cases.PLAIN, "cache_text": "disk"}}
REFUSED = {
    "kohya_ss": [
        ("ema.enabled", {"ema": {"enabled": True}}),
        ("network.dropout", {"network": {"type": "lokr", "rank": 2, "dropout": 0.1}}),
        ("optimizer.text_encoder_learning_rate",
         {"optimizer": {"name": "prodigy", "learning_rate": 1, "text_encoder_learning_rate": 0.5}}),
    ],
    "kohya_ss sd15": [("memory.cache_text", CACHED_TEXT)],
    "kohya_ss sdxl": [
        ("memory.cache_text",
         {**CACHED_TEXT, "optimizer": {"name": "adamw", "text_encoder_learning_rate": 1e-4}}),
    ],
    "ai-toolkit": [
        ("network.type", {"network": {"type": "loha", "rank": 2}}),
        ("network.type", {"network": {"type": "dora", "rank": 2}}),
        ("network.dropout", {"network": {"type": "lokr", "rank": 2, "dropout": 0.1}}),
        ("optimizer.text_encoder_learning_rate",
         {"optimizer": {"name": "adamw", "learning_rate": 1e-4, "text_encoder_learning_rate": 5e-5}}),
        ("optimizer.warmup_steps",
         {"optimizer": {"name": "adamw", "scheduler": "cosine", "warmup_steps": 2}}),
        ("buckets.min", {"buckets": {"min": 64}}),
        ("datasets.0.keep_tags", {"dataset": {"shuffle_tags": True, "keep_tags": 1}}),
        ("memory.cache_text",
         {"memory": {**cases.PLAIN, "cache_text": "memory"}, "sampling": {"prompts": []}}),
    ],
    # Drawing samples would crash there, once the model and the pictures are loaded.
    "ai-toolkit sdxl": [("memory.cache_text", CACHED_TEXT)],
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("engine", ["kohya_ss", "ai-toolkit"])
def test_what_the_engine_cannot_do_is_refused_by_its_field_before_a_start(
    engine, family, desk_for, record_property
):
    desk = desk_for(engine, family)
    for field, given in REFUSED[engine] + REFUSED.get(f"{engine} {family}", []):
        changes = dict(given)
        if dataset := changes.pop("dataset", None):
            changes["datasets"] = [{"path": str(desk.pictures), "resolution": [128], **dataset}]
        done = desk.lora("run", str(desk.spec(**changes)), "--json")
        told = [line.strip() for line in done.stderr.splitlines()]
        sentence = next((line for line in told if line.startswith(f"{field}: ")), None)
        assert done.returncode != 0
        assert sentence, done.stderr
        record_property("run", f"{family:5} {engine:10} refused: {sentence}")
    assert json.loads(desk.lora("list", "--json").stdout) == []


def check_network(asked, trained):
    """Ranks and alphas of the tensors, and which parts of the model have them."""
    network = asked["network"]
    sizes = {(network["rank"], network["alpha"])}
    if "conv_rank" in network:
        sizes.add((network["conv_rank"], network["conv_alpha"]))
    assert trained.sizes() == sizes
    if network["type"] in ("lora", "locon", "dora"):
        ranks = {network["conv_rank"]} if network["type"] == "locon" else set()
        assert trained.convolutions() == ranks
    mark = {"loha": "hada_w1_a", "lokr": "lokr_w1", "dora": "dora_scale"}.get(network["type"])
    if mark:
        assert all(mark in tensors for tensors in trained.modules().values())
    encoders = set()
    if asked["optimizer"].get("text_encoder_learning_rate"):
        encoders = {"lora_te"} if asked["family"] == "sd15" else {"lora_te1", "lora_te2"}
    assert trained.text_encoders() == encoders


def check_common(asked, trained):
    """What both engines' files tell by the same key."""
    optimizer, loss = asked["optimizer"], asked.get("loss", {})
    told = trained.told
    assert float(told["ss_network_alpha"]) == asked["network"]["alpha"]
    assert float(told["ss_learning_rate"]) == optimizer["learning_rate"]
    expected = {
        "ss_network_dim": asked["network"]["rank"],
        "ss_seed": asked.get("seed", 42),
        "ss_max_train_steps": trained.job["total_steps"],
        "ss_gradient_accumulation_steps": asked.get("batch", {}).get("gradient_accumulation", 1),
        "ss_lr_warmup_steps": optimizer.get("warmup_steps", 0),
        "ss_lr_scheduler": "constant_with_warmup"
        if (optimizer.get("scheduler"), optimizer.get("warmup_steps")) == ("constant", 2)
        else optimizer.get("scheduler", "constant"),
        "ss_cache_latents": asked["memory"]["cache_latents"] != "none",
        "modelspec.trigger_phrase": "zxq",
        "ss_output_name": "tiny",
        "ss_sd_model_name": Path(asked["base_model"]).name,
    }
    assert {key: told.get(key) for key in expected} == {k: str(v) for k, v in expected.items()}
    for field in ("min_snr_gamma", "noise_offset"):
        value = told.get(f"ss_{field}", "None")
        assert (None if value == "None" else float(value)) == loss.get(field)
    if "conv_rank" in asked["network"]:
        sizes = trained.json("ss_network_args")
        assert float(sizes["conv_dim"]) == asked["network"]["conv_rank"]
        assert float(sizes["conv_alpha"]) == asked["network"]["conv_alpha"]
    if asked["network"].get("dropout"):
        assert float(told["ss_network_dropout"]) == asked["network"]["dropout"]
    rate = told.get("ss_text_encoder_lr", "None")
    wanted = optimizer.get("text_encoder_learning_rate")
    assert (None if rate == "None" else float(rate)) == wanted


def check_pictures(case, asked, trained):
    """Folders with their repeats, and how the engine grouped the pictures."""
    told = trained.json("ss_dataset_dirs")
    for place, ((shapes, settings), dataset) in enumerate(
        zip(case.folders, asked["datasets"], strict=True)
    ):
        if settings.get("regularisation") and case.engine == "kohya_ss":
            continue
        folder = told[f"folder{place}"]
        assert folder["n_repeats"] == dataset.get("repeats", 1)
        assert folder["img_count"] == len(shapes)
    enabled = asked["buckets"].get("enabled", True)
    if enabled:
        assert len(trained.buckets()) > 1
        used = sum(
            len(shapes)
            * settings.get("repeats", 1)
            * len(settings.get("resolution", [0]))
            * (2 if settings.get("flip") and case.engine == "ai-toolkit" else 1)
            for shapes, settings in case.folders
            if not settings.get("regularisation")
        )
        assert sum(trained.buckets().values()) >= used


def check_kohya(asked, trained):
    """What sd-scripts itself writes, of what it really used."""
    optimizer, told = asked["optimizer"], trained.told
    assert told["ss_training_comment"].startswith(f"vast-lora job {trained.job['id']}")
    assert kohya_optimizer.NAMES[optimizer["name"]] in told["ss_optimizer"]
    for key, value in optimizer.get("arguments", {}).items():
        assert f"{key}={value}" in told["ss_optimizer"]
    assert told["ss_mixed_precision"] == asked["memory"]["mixed_precision"]
    assert told["ss_gradient_checkpointing"] == str(asked["memory"]["gradient_checkpointing"])
    edges = [edge for dataset in asked["datasets"] for edge in dataset["resolution"]]
    assert told["modelspec.resolution"] == f"{max(edges)}x{max(edges)}"
    blocks = trained.json("ss_datasets")
    assert {block["resolution"][0] for block in blocks} == set(edges)
    for block in blocks:
        assert block["enable_bucket"] == asked["buckets"].get("enabled", True)
        assert block["batch_size_per_device"] == asked.get("batch", {}).get("size", 1)
        for subset, dataset in zip(block["subsets"], asked["datasets"], strict=True):
            for native, field in {
                "num_repeats": "repeats", "shuffle_caption": "shuffle_tags", "flip_aug": "flip",
                "keep_tokens": "keep_tags", "is_reg": "regularisation",
            }.items():  # fmt: skip
                assert subset[native] == dataset.get(field, native == "num_repeats"), native
            reg = dataset.get("regularisation", False)
            assert subset["caption_prefix"] == (None if reg else "zxq,")
    if any(dataset.get("caption_dropout") for dataset in asked["datasets"]):
        assert "caption dropout by dataset: 0.1" in told["ss_training_comment"]
    rates = trained.scalars("lr/textencoder")
    assert bool(rates) == bool(optimizer.get("text_encoder_learning_rate"))
    if rates:
        assert max(rates) <= optimizer["text_encoder_learning_rate"] * 1.0001
    folder = Path(asked["datasets"][0]["path"])
    assert bool([*folder.glob("*.npz")]) == (
        "disk" in (asked["memory"]["cache_latents"], _text(asked))
    )


def _text(asked):
    return asked["memory"].get("cache_text", "none")


def check_aitk(asked, trained):
    """What the engine says it did, and what we have it write into the file."""
    told, log = trained.told, trained.log()
    assert trained.json("training_info")["step"] == trained.job["total_steps"]
    assert told["vast_lora_run"] == str(trained.job["id"])
    network = asked["network"]
    assert f"base dim (rank): {network['rank']}, alpha: {network['alpha']:.1f}" in log
    assert told["ss_network_type"] == network["type"]
    assert told["ss_optimizer"].startswith(f"{asked['optimizer']['name']}(")
    assert ("Using EMA" in log) == asked.get("ema", {}).get("enabled", False)
    if asked.get("ema"):
        assert float(told["ss_ema_decay"]) == asked["ema"]["decay"]
    edges = {edge for dataset in asked["datasets"] for edge in dataset["resolution"]}
    assert told["ss_resolution"] == ",".join(map(str, sorted(edges)))
    folder = Path(asked["datasets"][0]["path"])
    assert (folder / "_latent_cache").exists() == (asked["memory"]["cache_latents"] == "disk")
    assert (folder / "_t_e_cache").exists() == (_text(asked) == "disk")

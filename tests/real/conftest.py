"""The real engines with tiny random models, through our own command line.

Needs AI_TOOLKIT_DIR, AI_TOOLKIT_PYTHON, TINY_AITK_SD15, TINY_AITK_DATA and KOHYA_SS_DIR,
KOHYA_SS_PYTHON, TINY_KOHYA_SD15, TINY_KOHYA_TOKENIZERS, TINY_KOHYA_DATA (README, "Tests").
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {
    "ai-toolkit": ("AI_TOOLKIT_DIR", "AI_TOOLKIT_PYTHON", "TINY_AITK_SD15", "TINY_AITK_DATA"),
    "kohya_ss": (
        "KOHYA_SS_DIR", "KOHYA_SS_PYTHON", "TINY_KOHYA_SD15", "TINY_KOHYA_TOKENIZERS", "TINY_KOHYA_DATA",
    ),
}  # fmt: skip


class Desk:
    """A fresh data folder and the command line on it, for one engine."""

    def __init__(self, tmp_path: Path, engine: str) -> None:
        self.engine = engine
        self.folder = tmp_path
        self.data = tmp_path / "data"
        self.env = {**os.environ, "DATA_DIR": str(self.data), "DISK_SOFT_GB": "0"}
        prefix = "AITK" if engine == "ai-toolkit" else "KOHYA"
        self.pictures = tmp_path / "pictures"
        # A copy, since both engines write caches beside the pictures.
        shutil.copytree(
            os.environ[f"TINY_{prefix}_DATA"],
            self.pictures,
            ignore=lambda _folder, names: [n for n in names if n.startswith((".", "_"))],
        )
        self.model = os.environ[f"TINY_{prefix}_SD15"]

    def document(self, **changes):
        """A small job: a few steps with saves and samples."""
        engine_is_aitk = self.engine == "ai-toolkit"
        document = {
            "name": "tiny", "family": "sd15", "engine": self.engine, "base_model": self.model,
            "trigger_word": "zxq",
            "datasets": [{"path": str(self.pictures), "repeats": 2, "resolution": [64 if engine_is_aitk else 128]}],
            "buckets": {} if engine_is_aitk else {"min": 64, "max": 256},
            "network": {"rank": 4, "alpha": 2},
            "optimizer": {"name": "adamw", "learning_rate": 1e-4},
            "length": {"steps": 12},
            "memory": {"mixed_precision": "no", "gradient_checkpointing": False},
            "saving": {"every_steps": 4, "keep": 2},
            "sampling": {"every_steps": 6, "steps": 2, "width": 64, "height": 64,
                         "prompts": ["a red circle", "a blue square"]},
        }  # fmt: skip
        if self.engine == "kohya_ss":
            tokenizers = os.environ["TINY_KOHYA_TOKENIZERS"]
            document["engine_options"] = {
                "kohya_ss": {"config": {"tokenizer_cache_dir": tokenizers}}
            }
        return {**document, **changes}

    def spec(self, **changes) -> Path:
        path = self.folder / "spec.yaml"
        path.write_text(yaml.safe_dump(self.document(**changes)))
        return path

    def lora(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=600, **options
        )


@pytest.fixture(params=["kohya_ss", "ai-toolkit"])
def desk(request, tmp_path):
    missing = [name for name in NEEDED[request.param] if not os.environ.get(name)]
    if missing:
        pytest.skip(f"real {request.param}: {', '.join(missing)} not set")
    return Desk(tmp_path, request.param)

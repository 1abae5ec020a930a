"""The real engines with tiny random models, through our own command line.

Needs AI_TOOLKIT_DIR, AI_TOOLKIT_PYTHON, TINY_AITK_SD15, TINY_AITK_DATA and KOHYA_SS_DIR,
KOHYA_SS_PYTHON, TINY_KOHYA_SD15, TINY_KOHYA_TOKENIZERS, TINY_KOHYA_DATA (CONTRIBUTING, "Tests"). The
matrix also trains TINY_AITK_SDXL and TINY_KOHYA_SDXL, whose tokenizers lie beside the model.
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
_runs: list[str] = []
PREFIX = {"ai-toolkit": "AITK", "kohya_ss": "KOHYA"}


def pytest_runtest_logreport(report):
    """Keep what was really run, wherever the test ran."""
    if report.when == "call":
        _runs.extend(text for name, text in report.user_properties if name == "run")


def pytest_terminal_summary(terminalreporter):
    """What was trained and what was refused, a line each."""
    for text in sorted(_runs):
        terminalreporter.write_line(text)


class Desk:
    """A fresh data folder and the command line on it, for one engine and family."""

    def __init__(self, tmp_path: Path, engine: str, family: str = "sd15") -> None:
        self.engine = engine
        self.family = family
        self.folder = tmp_path
        self.data = tmp_path / "data"
        self.env = {**os.environ, "DATA_DIR": str(self.data), "DISK_SOFT_GB": "0"}
        prefix = PREFIX[engine]
        self.pictures = tmp_path / "pictures"
        # A copy, since both engines write caches beside the pictures.
        shutil.copytree(
            os.environ[f"TINY_{prefix}_DATA"],
            self.pictures,
            ignore=lambda _folder, names: [n for n in names if n.startswith((".", "_"))],
        )
        self.model = os.environ[f"TINY_{prefix}_{family.upper()}"]

    def document(self, **changes):
        """A small job: a few steps with saves and samples."""
        engine_is_aitk = self.engine == "ai-toolkit"
        document = {
            "name": "tiny", "family": self.family, "engine": self.engine, "base_model": self.model,
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
            document["engine_options"] = {
                "kohya_ss": {"config": {"tokenizer_cache_dir": self._tokenizers()}}
            }
        return {**document, **changes}

    def _tokenizers(self) -> str:
        beside = Path(self.model).parent / "tokenizers"
        return str(beside) if beside.is_dir() else os.environ["TINY_KOHYA_TOKENIZERS"]

    def spec(self, **changes) -> Path:
        path = self.folder / "spec.yaml"
        path.write_text(yaml.safe_dump(self.document(**changes)))
        return path

    def lora(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=1200, **options
        )


def open_desk(tmp_path: Path, engine: str, family: str = "sd15") -> Desk:
    """A desk, or a skip with what is not set for it."""
    needed = {*NEEDED[engine], f"TINY_{PREFIX[engine]}_{family.upper()}"}
    missing = [name for name in sorted(needed) if not os.environ.get(name)]
    if missing:
        pytest.skip(f"real {engine}: {', '.join(missing)} not set")
    return Desk(tmp_path, engine, family)


@pytest.fixture(params=["kohya_ss", "ai-toolkit"])
def desk(request, tmp_path):
    return open_desk(tmp_path, request.param)


@pytest.fixture
def desk_for(tmp_path):
    """``desk_for(engine, family)``: a desk of one's choice."""
    return lambda engine, family: open_desk(tmp_path, engine, family)

"""Checkouts of stand-in engines: the scripts' names and files, the behaviour of ``trainer.py``.

How long a step takes and what goes wrong is told by STANDIN_* variables in the environment of
the server, which a trainer inherits.
"""

from __future__ import annotations

import sys
from pathlib import Path

_TRAINER = Path(__file__).with_name("trainer.py")

_KOHYA = f"""
import os, shlex, sys, tomllib
config = tomllib.load(open(sys.argv[sys.argv.index("--config_file") + 1], "rb"))
per_epoch = int(os.environ.get("STANDIN_BATCHES", "4"))
epochs = config["max_train_epochs"] - config.get("initial_epoch", 1) + 1
print(f"num batches per epoch / 1epochのバッチ数: {{per_epoch}}", flush=True)
words = [sys.executable, {str(_TRAINER)!r}, "--engine", "kohya_ss", "--write-lora",
         "--steps", str(epochs * per_epoch), "--output", config["output_dir"],
         "--name", config["output_name"], "--rank", str(config["network_dim"]),
         "--step-seconds", os.environ.get("STANDIN_SECONDS", "0.02")]
os.execv(words[0], words + shlex.split(os.environ.get("STANDIN_ARGUMENTS", "")))
"""
_AI_TOOLKIT = f"""
import glob, json, os, shlex, struct, sys, yaml
process = yaml.safe_load(open(sys.argv[1]))["config"]
name, process = process["name"], process["process"][0]

def step_of(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    return json.loads(header["__metadata__"]["training_info"])["step"]

# As the engine does: from the newest file, whether asked or not; a torn one ends the run.
found = glob.glob(os.path.join(process["training_folder"], name, name + "*.safetensors"))
start = step_of(max(found, key=os.path.getctime)) if found else 0
words = [sys.executable, {str(_TRAINER)!r}, "--engine", "ai-toolkit", "--write-lora",
         "--steps", str(process["train"]["steps"]), "--output", process["training_folder"],
         "--name", name, "--control", process["sqlite_db_path"], "--start-step", str(start),
         "--save-every", str(process["save"]["save_every"]),
         "--rank", str(process["network"]["linear"]),
         "--step-seconds", os.environ.get("STANDIN_SECONDS", "0.02")]
os.execv(words[0], words + shlex.split(os.environ.get("STANDIN_ARGUMENTS", "")))
"""


def without_trainer(home: Path) -> dict[str, str]:
    """A checkout of sd-scripts that is found, and trains nothing; the settings that name it."""
    home.mkdir(parents=True)
    (home / "train_network.py").write_text("")
    return {"KOHYA_SS_DIR": str(home), "KOHYA_SS_PYTHON": "/bin/true"}


def make(folder: Path) -> dict[str, str]:
    """Both checkouts below ``folder``; the settings that point the program at them."""
    kohya, toolkit = folder / "sd-scripts", folder / "ai-toolkit"
    for home, names, text in (
        (kohya, ("train_network.py", "sdxl_train_network.py"), _KOHYA),
        (toolkit, ("run.py",), _AI_TOOLKIT),
    ):
        home.mkdir(parents=True)
        for name in names:
            (home / name).write_text(text)
    return {
        "KOHYA_SS_DIR": str(kohya), "KOHYA_SS_PYTHON": sys.executable,
        "AI_TOOLKIT_DIR": str(toolkit), "AI_TOOLKIT_PYTHON": sys.executable,
    }  # fmt: skip

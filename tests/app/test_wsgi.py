"""The server's process stays small: what is heavy is loaded in children only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from app.gpu import nvml
from app.settings import ROOT
from tests.support.platform import schema_file

HEAVY = {
    "huggingface_hub", "boto3", "botocore", "apprise", "imagehash", "scipy", "numpy", "pyarrow",
    "pillow_heif", "alembic", "pynvml", "PIL._imaging",
}  # fmt: skip
PAGES = ("/", "/jobs/new", "/datasets", "/models", "/settings", "/api/v1/targets", "/healthz")
PROGRAM = f"""
import json, sys
from app.wsgi import app
before = set(sys.modules)
said = [app.test_client().get(page).status_code for page in {PAGES}]
print(json.dumps([sorted(before), sorted(sys.modules), said]))
"""


def test_neither_the_start_nor_a_page_loads_a_heavy_library(tmp_path):
    shutil.copy(schema_file(), tmp_path / "lora.db")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True,
        env={
            "PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"
        },
    )  # fmt: skip
    at_start, after, said = json.loads(done.stdout)
    assert "app.delivery.watching" in at_start
    assert HEAVY & set(at_start) == set()
    assert set(said) <= {200, 503}, said  # no supervisor runs here, and /healthz says so
    # Where there is a driver, it is asked for GPUs.
    assert HEAVY & set(after) == ({"pynvml"} if nvml._has_driver() else set())

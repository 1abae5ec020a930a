"""The System page: what is wrong first, then what was set, and the rest on demand."""

from __future__ import annotations

from app.gpu.nvml import Gpu
from app.platform import EXTENSION
from tests.support.platform import FakeGpus, make_app


def test_settings_that_were_set_stand_open_with_what_is_in_force_and_the_rest_is_folded(tmp_path):
    env = {
        "STALL_MINUTES": "7", "SLURM_ACCOUNT": "lab", "AUTH_TOKEN": "hush-token",
        "KOHYA_SS_SOURCE": "https://me:hush@git.example/kohya.git",
    }  # fmt: skip
    app = make_app(tmp_path, env)
    page = app.test_client().get("/system", headers={"Authorization": "Bearer hush-token"}).text
    chosen, usual = page.split("at their default")[0], page.split("Settings at their default")[1]
    for name, value in (("STALL_MINUTES", "7"), ("SLURM_ACCOUNT", "lab"), ("AUTH_TOKEN", "set"),
                        ("KOHYA_SS_SOURCE", "set")):  # fmt: skip
        assert f'<code>{name}</code></td><td class="mono">{value}</td>' in chosen
        assert name not in usual
    assert "<code>LOG_CAP_MB</code>" in usual
    assert str(app.extensions[EXTENSION].settings.engine_places["kohya_ss"][0]) in page
    assert "hush" not in page


def test_a_card_that_is_lost_is_told_above_everything_else(tmp_path):
    app = make_app(tmp_path)
    assert "does not answer" not in app.test_client().get("/system").text
    app.extensions[EXTENSION].gpus = FakeGpus(Gpu(0, "", "GPU 0 (lost)", usable=False))
    page = app.test_client().get("/system").text
    assert page.index("GPU 0 does not answer any more") < page.index("<h2>Disk")

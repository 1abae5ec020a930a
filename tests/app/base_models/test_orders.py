"""What a person may have done to models while something else is at them."""

from __future__ import annotations

import pytest

from app import tasks
from app.base_models import library, orders, scanning
from app.errors import ConflictError, UserError
from app.platform import EXTENSION
from tests.support.platform import make_app


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    app = make_app(tmp_path, {"HF_HOME": str(tmp_path / "hf")})
    with app.app_context():
        yield app.extensions[EXTENSION].settings


def test_what_is_being_downloaded_is_not_deleted_and_its_neighbour_is(settings):
    cache = settings.hf_home / "hub"
    for name in ("mine", "other"):
        (cache / f"models--me--{name}/snapshots/{'c' * 40}").mkdir(parents=True)
        (cache / f"models--me--{name}/snapshots/{'c' * 40}/x.safetensors").write_bytes(b"x")
    (settings.models_dir / "big.safetensors.part").write_bytes(b"half")
    scanning.scan(settings, ())
    entries = {entry.path.rsplit("/", 1)[-1]: entry for entry in library.read(settings).entries}
    orders.download(settings, "me/mine")
    fetched = orders.download(settings, "http://127.0.0.1:9/very big.safetensors?key=hush")
    assert orders.title_of(fetched) == "http://127.0.0.1:9/very%20big.safetensors"
    with pytest.raises(ConflictError, match=r"It is being downloaded\. Cancel that first"):
        orders.delete(entries["models--me--mine"])
    with pytest.raises(ConflictError, match=r"A download is under way\. Cancel it first"):
        orders.delete(entries["big.safetensors.part"])
    orders.delete(entries["models--me--other"])
    assert [task.subject for task in tasks.active("model.delete")] == [
        f"entry:{entries['models--me--other'].key}"
    ]


@pytest.mark.parametrize("address", ["http://[::1/x.zip", "http://host:abc/x", "ftp://host/x"])
def test_an_address_that_is_none_is_refused_before_anything_starts(settings, address):
    with pytest.raises(UserError, match=r"no web address|Only http and https"):
        orders.download(settings, address)
    assert tasks.active() == []

"""Downloads against a Hub that gates, cuts, stalls and lies."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.request
from pathlib import Path

import pytest

from app import transfer
from app.base_models import hub_fetch, url_fetch
from app.base_models.cache import is_cached
from app.base_models.choosing import choose
from app.errors import UserError
from app.settings import Settings
from app.tasks import RetryLaterError
from tests.support.hub_files import COMMIT, GOOD_TOKEN, serve
from tests.support.models import OTHERS, SHAPES, content

BIG = content({**SHAPES["sdxl"], "model.diffusion_model.out.weight": [300_000]})
REPO = {
    "model_index.json": json.dumps({"unet": ["diffusers", "U"]}).encode(),
    "unet/model.safetensors": BIG, "unet/model.bin": b"double", "unet/model.fp16.safetensors": b"half",
    "whole.safetensors": b"single file", "flax_model.msgpack": b"flax", "picture.png": b"png",
    "safety_checker/model.safetensors": b"not needed",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def hub():
    with serve({"open/model": REPO, "gated/model": REPO}) as found:
        yield found


def bring(hub, tmp_path, repo="open/model", token=None, **wish):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path), "HF_ENDPOINT": hub.url})
    told = []
    wished = hub_fetch.Wish(repo, tmp_path / "hub", **wish)
    result = hub_fetch.bring(wished, settings, token, lambda *words: told.append(words))
    return result, told


def test_only_what_training_needs_is_brought_and_the_library_finds_it(hub, tmp_path):
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    result, told = bring(hub, tmp_path)
    assert result["bytes"] == len(BIG) + len(REPO["model_index.json"])
    assert told[-1][:2] == (result["bytes"], result["bytes"])
    snapshot = tmp_path / "hub" / "models--open--model" / "snapshots" / COMMIT
    names = sorted(str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if p.is_file())
    assert names == ["model_index.json", "unet/model.safetensors"]
    # As the library itself would have left it.
    found = try_to_load_from_cache(
        "open/model", "unet/model.safetensors", cache_dir=tmp_path / "hub"
    )
    assert Path(str(found)).read_bytes() == BIG
    assert [r.repo_id for r in scan_cache_dir(tmp_path / "hub").repos] == ["open/model"]
    assert is_cached(tmp_path / "hub", "open/model")


def test_a_cut_connection_goes_on_where_it_was(hub, tmp_path):
    hub.cuts = [200_000, 150_000]
    bring(hub, tmp_path, file="unet/model.safetensors")
    assert hub.bytes_asked() == ["bytes from 0", "bytes from 200000", "bytes from 350000"]


def test_what_a_killed_process_left_is_not_fetched_again_nor_taken_for_whole(hub, tmp_path):
    hub.cuts = [1000, 200_000]

    def die(done, *_):
        if done >= 200_000:
            raise KeyboardInterrupt

    settings = Settings.from_env({"DATA_DIR": str(tmp_path), "HF_ENDPOINT": hub.url})
    wish = hub_fetch.Wish("open/model", tmp_path / "hub")
    with pytest.raises(KeyboardInterrupt):
        hub_fetch.bring(wish, settings, None, die)
    assert not is_cached(tmp_path / "hub", "open/model")
    bring(hub, tmp_path)
    assert hub.bytes_asked() == ["bytes from 0", "bytes from 0", "bytes from 200000"]
    assert is_cached(tmp_path / "hub", "open/model")


def test_damage_on_the_way_is_seen_and_fetched_anew(hub, tmp_path):
    blobs = tmp_path / "hub" / "models--open--model" / "blobs"
    blobs.mkdir(parents=True)
    part = blobs / f"{hashlib.sha256(BIG).hexdigest()}.incomplete"
    part.write_bytes(b"x" * 1000)
    with pytest.raises(RetryLaterError, match="arrived damaged"):
        bring(hub, tmp_path, file="unet/model.safetensors")
    assert not part.exists()
    bring(hub, tmp_path, file="unet/model.safetensors")


@pytest.mark.parametrize(
    ("repo", "token", "sentence"),
    [
        ("gated/model", None, "is gated, and no token is set"),
        ("gated/model", "hf_bad", "is gated, and the token here may not read it"),
        ("open/nothing", None, "There is no model open/nothing"),
    ],
)
def test_a_refusal_says_what_to_do_and_leaves_nothing(hub, tmp_path, repo, token, sentence):
    with pytest.raises(UserError, match=sentence):
        bring(hub, tmp_path, repo, token)
    assert not (tmp_path / "hub").exists()


def test_a_good_token_opens_a_gated_model_and_is_not_shown_to_the_storage(hub, tmp_path):
    bring(hub, tmp_path, "gated/model", GOOD_TOKEN)
    assert hub.leaked == []


def test_a_full_disk_is_told_before_a_byte_is_fetched(hub, tmp_path):
    with pytest.raises(UserError, match="Delete something, then go on"):
        bring(hub, tmp_path, reserve=1 << 60)
    assert hub.bytes_asked() == []


def test_an_error_of_this_program_is_not_told_as_a_hub_that_does_not_answer(
    hub, tmp_path, monkeypatch
):
    def choose(_names, **_how):
        raise KeyError("a mistake")

    monkeypatch.setattr(hub_fetch, "choose", choose)
    with pytest.raises(KeyError, match="a mistake"):
        bring(hub, tmp_path)


def test_patterns_and_single_files_are_a_persons_choice():
    names = list(REPO)
    assert choose(names, patterns=["*.png", "flax*"]) == ["flax_model.msgpack", "picture.png"]
    assert choose(names, file="whole.safetensors") == ["whole.safetensors"]
    assert choose(["a.safetensors", "b.bin", "config.json"]) == ["a.safetensors", "config.json"]
    assert choose(["a.fp16.safetensors"]) == ["a.fp16.safetensors"]


def from_address(hub, tmp_path, name="whole.safetensors", reserve=0, told=lambda *_: None):
    return url_fetch.bring(f"{hub.url}/plain/{name}?key=hush", tmp_path, told, reserve=reserve)


@pytest.fixture
def plain():
    with serve({"any/thing": {"dreams.safetensors": BIG, "style.safetensors": content(OTHERS["lora"]),
                              "page.safetensors": b"<html>"}}) as found:  # fmt: skip
        yield found


@pytest.mark.parametrize("tells_size", [True, False])
def test_an_address_is_fetched_under_the_name_that_the_server_gives(plain, tmp_path, tells_size):
    plain.tells_size = tells_size
    plain.plain_headers = {"Content-Disposition": 'attachment; filename="../my dreams.safetensors"'}
    result = from_address(plain, tmp_path, "dreams.safetensors")
    assert result["name"] == "my dreams.safetensors"
    assert [p.name for p in tmp_path.iterdir()] == ["my dreams.safetensors"]
    assert (tmp_path / "my dreams.safetensors").read_bytes() == BIG


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_cut_address_goes_on_in_another_process(plain, tmp_path, knows_ranges):
    plain.knows_ranges = knows_ranges
    plain.cuts = [100_000]

    def die(done, *_):
        if done >= 100_000 and not plain.cuts:
            plain.cuts.append(-1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_address(plain, tmp_path, "dreams.safetensors", told=die)
    plain.cuts.clear()
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".part"]
    from_address(plain, tmp_path, "dreams.safetensors")
    assert (tmp_path / "dreams.safetensors").read_bytes() == BIG
    assert plain.bytes_asked()[-1] == ("bytes from 100000" if knows_ranges else "bytes from 0")


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/model.safetensors", "file:///etc/passwd"])
def test_nothing_but_the_web_is_read_not_even_where_it_sends_one_there(address):
    with pytest.raises(UserError, match="Only http and https"):
        transfer.ask(transfer.Source(address))
    asked = urllib.request.Request("http://127.0.0.1/model.safetensors")
    with pytest.raises(UserError, match="Only http and https"):
        transfer._Redirects().redirect_request(asked, None, 302, "Found", {}, address)


def test_what_is_no_model_leaves_nothing_behind(plain, tmp_path):
    with pytest.raises(UserError, match="no sound model file and was removed"):
        from_address(plain, tmp_path, "page.safetensors")
    plain.plain_headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(UserError, match="answers with a page"):
        from_address(plain, tmp_path, "dreams.safetensors")
    with pytest.raises(
        UserError, match=r"There is nothing at 127\.0\.0\.1:\d+/plain/none\.safetensors"
    ):
        from_address(plain, tmp_path, "none.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["my model.safetensors", "d\u00fcrer.safetensors"])
def test_a_name_with_a_blank_or_a_foreign_letter_is_fetched_as_a_browser_would(tmp_path, name):
    with serve({"any/thing": {name: BIG}}) as found:
        url_fetch.bring(f"{found.url}/plain/{name}", tmp_path, lambda *_: None, reserve=0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_disk_that_gives_nothing_back_for_a_moment_costs_no_second_download(
    plain, tmp_path, monkeypatch
):
    real = Path.open

    def fails(path, *given, **more):
        if path.name.startswith(".dreams"):
            raise OSError(5, "Input/output error", str(path))
        return real(path, *given, **more)

    monkeypatch.setattr(Path, "open", fails)
    with pytest.raises(RetryLaterError, match="cannot be read back: Input/output error"):
        from_address(plain, tmp_path, "dreams.safetensors")
    monkeypatch.undo()
    from_address(plain, tmp_path, "dreams.safetensors")
    assert plain.bytes_asked() == ["bytes from 0"]
    assert [path.name for path in tmp_path.iterdir()] == ["dreams.safetensors"]


def test_a_file_that_is_there_is_not_overwritten_and_a_lora_is_told(plain, tmp_path):
    assert "LoRA of rank 16" in from_address(plain, tmp_path, "style.safetensors")["says"]
    with pytest.raises(UserError, match="There is a style"):
        from_address(plain, tmp_path, "style.safetensors")


def test_two_at_once_fetch_it_once(hub, tmp_path):
    threads = [
        threading.Thread(
            target=bring, args=(hub, tmp_path), kwargs={"file": "unet/model.safetensors"}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert hub.bytes_asked() == ["bytes from 0"]


def test_a_login_in_an_address_is_sent_as_one_and_told_in_no_error(plain, tmp_path):
    plain.files["any/thing"]["mine.safetensors"] = BIG
    secret = plain.url.replace("//", "//ann:sesame@")
    url_fetch.bring(f"{secret}/plain/mine.safetensors", tmp_path, lambda *_: None, reserve=0)
    assert plain.logins[-1] == f"Basic {base64.b64encode(b'ann:sesame').decode()}"
    with pytest.raises(UserError, match=r"^There is nothing at 127\.0\.0\.1:\d+/plain/none"):
        url_fetch.bring(f"{secret}/plain/none.safetensors", tmp_path, lambda *_: None, reserve=0)
    with pytest.raises(RetryLaterError, match=r"^127\.0\.0\.1:9 does not answer"):
        transfer.begin("http://ann:sesame@127.0.0.1:9/x")


def test_a_file_that_was_whole_when_its_process_was_killed_is_not_fetched_again(
    plain, tmp_path, monkeypatch
):
    def die(_path):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(url_fetch, "examine", die)
        with pytest.raises(KeyboardInterrupt):
            from_address(plain, tmp_path, "dreams.safetensors")
    from_address(plain, tmp_path, "dreams.safetensors")
    assert plain.bytes_asked() == ["bytes from 0"]
    assert [path.name for path in tmp_path.iterdir()] == ["dreams.safetensors"]


def test_an_empty_file_of_a_repository_comes_along_and_an_empty_repository_is_told(tmp_path):
    with serve({"open/model": {**REPO, "unet/.keep": b""}, "open/empty": {}}) as hub:
        bring(hub, tmp_path)
        snapshot = tmp_path / "hub/models--open--model/snapshots" / COMMIT
        assert (snapshot / "unet/.keep").read_bytes() == b""
        with pytest.raises(UserError, match="open/empty holds nothing that a training needs"):
            bring(hub, tmp_path, "open/empty")


def test_an_empty_file_at_an_address_is_no_model_and_leaves_nothing(plain, tmp_path):
    plain.files["any/thing"]["none.safetensors"] = b""
    with pytest.raises(UserError, match="no sound model file and was removed"):
        from_address(plain, tmp_path, "none.safetensors")
    assert list(tmp_path.iterdir()) == []

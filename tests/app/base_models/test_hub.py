"""Whether a model of the Hub can really be read, asked before a job needs it."""

from __future__ import annotations

import pytest

from app.base_models import HubChecker
from app.base_models import hub as hub_module
from tests.support.hub import GOOD_TOKEN, hub


@pytest.fixture
def online(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with hub() as (address, asked):
        yield address, asked


def ask(address, tmp_path, repo, token=None):
    return HubChecker(address, token, tmp_path).wait(repo, 10)


def test_an_open_model_is_asked_for_a_real_file_and_its_weights_are_not_fetched(online, tmp_path):
    address, asked = online
    assert ask(address, tmp_path, "open/model").ok
    assert asked[-1] == "HEAD /open/model/resolve/main/unet/x.safetensors"


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        ("gated/model", None, "no HF_TOKEN is set"),
        ("gated/model", "hf_other", "may not read it"),
        ("nobody/nothing", None, "no model nobody/nothing"),
        ("busy/model", None, "answered 503"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_do(online, tmp_path, repo, token, words):
    answer = ask(online[0], tmp_path, repo, token)
    assert not answer.ok
    assert words in answer.sentence
    assert "hf_other" not in answer.sentence


def test_the_right_token_opens_a_gated_model(online, tmp_path):
    assert ask(online[0], tmp_path, "gated/model", GOOD_TOKEN).ok


def test_an_answer_is_remembered_so_that_a_form_does_not_ask_at_every_key(online, tmp_path):
    address, asked = online
    checker = HubChecker(address, None, tmp_path)
    checker.wait("open/model", 10)
    before = len(asked)
    assert checker.ask("open/model").ok
    assert len(asked) == before


def test_a_model_in_the_cache_needs_no_network(tmp_path):
    snapshot = tmp_path / "hub" / "models--a--b" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    assert HubChecker("http://127.0.0.1:9", None, tmp_path).ask("a/b").ok


def test_a_half_downloaded_model_does_not_count_as_cached(tmp_path):
    folder = tmp_path / "hub" / "models--a--b"
    (folder / "snapshots" / "1").mkdir(parents=True)
    (folder / "snapshots" / "1" / "x").write_text("")
    (folder / "blobs").mkdir()
    (folder / "blobs" / "x.incomplete").write_text("")
    assert not HubChecker("http://127.0.0.1:9", None, tmp_path).is_cached("a/b")


def test_an_unreachable_hub_is_told_and_soon_asked_again(tmp_path):
    answer = ask("http://127.0.0.1:9", tmp_path, "a/b")
    assert (answer.ok, answer.certain) == (False, False)
    assert "could not be reached" in answer.sentence


def test_a_question_that_breaks_off_is_told_is_uncertain_and_is_asked_again(tmp_path, monkeypatch):
    def unreadable():
        raise PermissionError(13, "Permission denied", "secrets.json")

    monkeypatch.setattr(hub_module.log, "disabled", True)
    checker = HubChecker("http://127.0.0.1:9", unreadable, tmp_path)
    answer = checker.wait("a/b", 10)
    assert (answer.ok, answer.certain) == (False, False)
    assert answer.sentence.startswith("Asking the Hub for a/b failed: [Errno 13]")
    assert checker._asking == {}

"""What a download says, and what lies on disk, when the server refuses, lies or is silent."""

from __future__ import annotations

import pytest

from app import transfer
from app.base_models import hub_fetch, url_fetch
from app.errors import UserError
from app.settings import Settings
from app.tasks import RetryLaterError
from tests.support.hub_files import serve

REPO = {"whole.safetensors": b"single file"}


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def hub():
    with serve({"open/model": REPO}) as found:
        yield found


def bring(hub, tmp_path, repo="open/model", **wish):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path), "HF_ENDPOINT": hub.url})
    wished = hub_fetch.Wish(repo, tmp_path / "hub", **wish)
    return hub_fetch.bring(wished, settings, None, lambda *_words: None)


@pytest.mark.parametrize(
    ("address", "kind", "sentence"),
    [
        ("{hub}/plain/read.me", UserError, "no model by its name: it should end in .safetensors"),
        ("http://host:abc/x.safetensors", UserError, "This is no web address: "),
        ("http://[::1/x.safetensors", UserError, "This is no web address: "),
        ("http://127.0.0.1:9/x.safetensors", RetryLaterError, "127.0.0.1:9 does not answer (["),
        ("{busy}/plain/whole.safetensors", RetryLaterError, "answered 503. Try again later"),
    ],
)
def test_an_address_that_gives_nothing_says_why_and_leaves_nothing(
    tmp_path, address, kind, sentence
):
    with serve({"any/thing": {"read.me": b"words"}}) as hub, serve({"a/b": REPO}) as busy:
        busy.refuses = 1
        with pytest.raises(kind) as told:
            url_fetch.bring(address.format(hub=hub.url, busy=busy.url), tmp_path, print, reserve=0)
    assert sentence in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_busy_for_a_while_is_asked_again_and_for_long_put_off(hub, tmp_path):
    hub.refuses = 2
    bring(hub, tmp_path, file="whole.safetensors")
    part = tmp_path / "x.part"
    part.write_bytes(b"sing")
    hub.refuses = 9
    source = transfer.Source(f"{hub.url}/plain/whole.safetensors", size=len(b"single file"))
    with pytest.raises(
        RetryLaterError, match=r"answered 503 again and again\. What arrived is kept"
    ):
        transfer.fetch(source, part, print, reserve=0)
    assert part.read_bytes() == b"sing"
    assert hub.refuses == 5


def test_a_part_of_another_file_is_thrown_away_and_nothing_is_cut_off(hub, tmp_path):
    part = tmp_path / "x.part"
    part.write_bytes(b"x" * 100)  # longer than the file: the server answers 416
    url = f"{hub.url}/plain/whole.safetensors"
    assert transfer.fetch(transfer.Source(url), part, print, reserve=0) == len(b"single file")
    assert part.read_bytes() == b"single file"
    part.unlink()
    with pytest.raises(UserError, match="More arrived than the 5 bytes that were announced"):
        transfer.fetch(transfer.Source(url, size=5), part, print, reserve=0)
    assert not part.exists()
    with pytest.raises(UserError, match="There is nothing at"):
        transfer.fetch(transfer.Source(f"{hub.url}/plain/none"), part, print, reserve=0)


class OtherPiece:
    """An answer that begins elsewhere than it was asked to."""

    status, headers = 206, {"Content-Range": "bytes 7-9/10"}

    def close(self):
        """It holds nothing."""


def test_a_server_that_sends_another_piece_spoils_nothing(tmp_path, monkeypatch):
    part = tmp_path / "x.part"
    part.write_bytes(b"half")
    monkeypatch.setattr(transfer, "ask", lambda _source, _start: OtherPiece())
    with pytest.raises(RetryLaterError, match="host does not answer, or cuts the connection"):
        transfer.fetch(transfer.Source("http://host/x", size=10), part, print, reserve=0)
    assert part.read_bytes() == b"half"


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"file": "none.bin"}, "open/model holds no none.bin. Look at its page"),
        ({"patterns": ["*.gguf"]}, "open/model holds no *.gguf. Look at its page"),
        (
            {"repo": "open/papers"},
            "open/papers holds nothing that a training needs. Look at its page",
        ),
        ({"repo": "open/escape"}, "has a file that would leave its folder: /evil.safetensors"),
    ],
)
def test_a_repository_without_what_is_wished_is_told_and_leaves_nothing(tmp_path, wish, sentence):
    others = {"open/papers": {"a.pdf": b"x"}, "open/escape": {"/evil.safetensors": b"x"}}
    with serve({"open/model": REPO, **others}) as hub, pytest.raises(UserError) as told:
        bring(hub, tmp_path, **wish)
    assert sentence in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_that_names_a_place_outside_for_its_bytes_is_not_followed(hub, tmp_path):
    hub.etag = "../../evil"
    with pytest.raises(UserError, match=r"tells of open/model/whole\.safetensors makes no sense"):
        bring(hub, tmp_path, file="whole.safetensors")
    assert list(tmp_path.iterdir()) == []

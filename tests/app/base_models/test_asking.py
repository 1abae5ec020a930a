"""Whose token it is, asked at the Hub; a sentence wherever it does not tell."""

from __future__ import annotations

import io

import pytest

from app.base_models import asking
from app.errors import UserError
from app.settings import Settings
from app.tasks import RetryLaterError, Work
from tests.support.hub_files import GOOD_TOKEN, serve


def asked(tmp_path, address, token):
    env = {"DATA_DIR": str(tmp_path), "HF_ENDPOINT": address, "HF_TOKEN": token}
    return asking.run(Work(1, {}, Settings.from_env(env), tell=io.StringIO(), log=tmp_path / "log"))


def test_a_good_token_tells_its_name_and_any_other_what_to_do(tmp_path):
    with serve({}) as hub:
        assert asked(tmp_path, hub.url, GOOD_TOKEN) == {"name": "anna"}
        with pytest.raises(UserError, match=r"does not know this token\. Make a new one"):
            asked(tmp_path, hub.url, "hf_bad")
        with pytest.raises(UserError, match=r"No token is set\. Type one in"):
            asked(tmp_path, hub.url, "")
        hub.refuses = 1
        with pytest.raises(RetryLaterError, match="The Hub answered 503"):
            asked(tmp_path, hub.url, GOOD_TOKEN)
    with pytest.raises(RetryLaterError, match="The Hub does not answer"):
        asked(tmp_path, "http://127.0.0.1:9", GOOD_TOKEN)

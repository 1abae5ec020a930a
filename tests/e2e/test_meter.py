"""The real program stops its machine through a stand-in of Vast's API."""

from __future__ import annotations

import json

import pytest

from tests.support.vast import INSTANCE, KEY, vast
from tests.support.wait import until

pytestmark = pytest.mark.e2e


def test_destroy_has_to_be_typed_and_stop_now_reaches_vast(page, make_server):
    with vast() as api:
        env = {"CONTAINER_ID": INSTANCE, "CONTAINER_API_KEY": KEY, "VAST_API_URL": api.url}
        server = make_server(**env, AUTH_TOKEN="a-token-of-the-owner")
        page.goto(f"{server.url}/meter?token=a-token-of-the-owner")
        assert page.url == f"{server.url}/meter"
        page.get_by_label("Grace").fill("20")
        page.get_by_role("radio", name="Destroy").check()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("nobody can bring it back").wait_for()
        page.get_by_role("button", name="Stop this machine now").click()
        until(lambda: api.state == "stopped", 15)
        assert api.orders == ["stop"]
        assert "Stop now" in json.loads((server.data / "auto-stop.json").read_text())["reason"]
        page.goto(f"{server.url}/engines")
        page.get_by_role("status").get_by_text("This machine is being stopped").wait_for()
        assert KEY not in server.log.read_text()

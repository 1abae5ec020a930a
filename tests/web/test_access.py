"""Named tokens: who gets in with them, what they may, and how they end."""

from __future__ import annotations

import re

import pytest

from app import access, tokens
from app.db import db
from app.models import AccessToken
from app.web.attempts import FREE, Attempts
from app.web.guard import COOKIE
from tests.support.platform import make_app

OWNER = "the-owners-token-is-long"


@pytest.fixture
def app(tmp_path, env):
    return make_app(tmp_path / "shared", {**env, "AUTH_TOKEN": OWNER})


@pytest.fixture
def client(app):
    client = app.test_client()
    client.get(f"/?token={OWNER}")
    return client


def make(client, **form):
    answer = client.post("/access/tokens", data={"name": "Ann", "scope": "read", **form})
    assert answer.status_code == 200, answer.text
    return re.search(r"token=(lora_[\w-]+)", answer.text).group(1)


def enter(app, token):
    other = app.test_client()
    answer = other.get(f"/?token={token}")
    assert answer.status_code == 303
    return other


def test_a_token_is_shown_once_and_kept_as_a_hash(app, client):
    token = make(client)
    assert token not in client.get("/access").text
    with app.app_context():
        row = db.session.get(AccessToken, 1)
        assert token not in "".join(str(v) for v in vars(row).values())
        dump = "".join(db.engines[None].raw_connection().iterdump())
        assert token not in dump
        assert row.hash in dump


def test_its_link_opens_and_a_revoked_one_opens_nothing_at_once(app, client):
    token = make(client, scope="full")
    other = enter(app, token)
    assert other.get("/system").status_code == 200
    assert other.post("/queue/pause").status_code == 303
    client.post("/access/tokens/1/revoke")
    assert other.get("/system").location.startswith("/login")
    bearer = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/api/v1/jobs", headers=bearer).status_code == 401
    assert client.post("/access/tokens/1/revoke").status_code == 404


def test_a_bearer_has_the_same_scope_as_the_link(app, client, job):
    bearer = {"Authorization": f"Bearer {make(client)}"}
    fresh = app.test_client()
    assert fresh.get("/api/v1/jobs", headers=bearer).status_code == 200
    answer = fresh.post("/api/v1/jobs/1/stop", headers=bearer)
    assert answer.status_code == 403
    assert "changes nothing" in answer.json["error"]


def test_a_read_only_visitor_sees_no_tokens_and_no_buttons(app, client, job):
    other = enter(app, make(client))
    assert other.get("/access").status_code == 403
    page = other.get("/").text
    assert "data-reads-only" in page
    assert 'href="/access"' not in page
    assert "Ann: only for looking" in page


def test_a_token_for_one_job_opens_that_job_and_nothing_else(app, client, job, form):
    assert client.post("/jobs/", data={**form, "hold": "1"}).status_code == 303
    other = enter(app, make(client, job="1"))
    assert other.get("/").location == "/jobs/1"
    assert other.get("/jobs/1").status_code == 200
    assert other.get("/jobs/1/status").status_code in (200, 204)
    assert other.get("/api/v1/jobs/1").status_code == 200
    for address in ("/jobs/2", "/api/v1/jobs/2", "/api/v1/jobs", "/system", "/meter", "/jobs/table",
                    "/engines", "/jobs/new", "/jobs/2/all.zip", "/jobs/12", "/tasks/1"):  # fmt: skip
        assert other.get(address).status_code == 403, address
    assert "Engines" not in other.get("/jobs/1").text.split("<main")[0]


def test_a_token_goes_with_its_job(app, client, job):
    token = make(client, job="1")
    client.post("/jobs/1/delete")
    assert app.test_client().get(f"/?token={token}").location.startswith("/login")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"name": ""}, "Give a name"), ({"name": "a\nb"}, "Give a name"), ({"name": "x" * 61}, "Give a name"),
     ({"scope": "root"}, "Choose one"), ({"job": "77"}, "no such job"), ({"job": "x"}, "no such job"),
     ({"scope": "full", "job": "1"}, "always read-only")],
)  # fmt: skip
def test_nonsense_is_told_at_its_field(client, job, wrong, sentence):
    answer = client.post("/access/tokens", data={"name": "Ann", "scope": "read", **wrong})
    assert answer.status_code == 422
    assert sentence in answer.text


def test_logging_out_ends_the_login_also_for_a_copy_of_its_cookie(app, client):
    cookie = client.get_cookie(COOKIE).value
    thief = app.test_client()
    thief.set_cookie(COOKIE, cookie)
    assert thief.get("/system").status_code == 200
    other = enter(app, OWNER)
    client.post("/logout")
    assert thief.get("/system").status_code == 303
    assert other.get("/system").status_code == 200


def test_each_login_gets_a_cookie_of_its_own_whatever_the_browser_brought(app):
    client = app.test_client()
    client.set_cookie(COOKIE, "0.fixed-by-somebody.x")
    client.post("/login", data={"token": OWNER})
    first = client.get_cookie(COOKIE).value
    client.post("/login", data={"token": OWNER})
    assert len({first, client.get_cookie(COOKIE).value, "0.fixed-by-somebody.x"}) == 3


@pytest.mark.parametrize(
    "change",
    [lambda c: "1" + c[1:], lambda c: c[:-1] + ("0" if c[-1] != "0" else "1"), lambda c: c + ".x",
     lambda c: c.replace("-", "-x", 1), lambda c: "ffffffff-" + c.partition("-")[2], lambda c: "..",
     lambda c: "0.1-" + c.partition("-")[2], lambda c: "²" + c[1:], lambda c: ""],
)  # fmt: skip
def test_a_cookie_that_was_changed_opens_nothing(app, client, change):
    make(client)
    forged = app.test_client()
    forged.set_cookie(COOKIE, change(client.get_cookie(COOKIE).value))
    assert forged.get("/system").status_code == 303


def test_a_new_owners_token_ends_every_login(tmp_path, app, client, env):
    token = make(client)
    old = enter(app, token).get_cookie(COOKIE).value
    app.extensions["vast-lora"].settings = type(app.extensions["vast-lora"].settings).from_env(
        {**env, "DATA_DIR": str(tmp_path / "shared/data"), "AUTH_TOKEN": "another-owners-token"}
    )
    for cookie in (old, client.get_cookie(COOKIE).value):
        other = app.test_client()
        other.set_cookie(COOKIE, cookie)
        assert other.get("/system").status_code == 303
    assert enter(app, token).get("/system").status_code == 200


def test_basic_login_of_a_proxy_in_front_is_not_taken_for_our_token(app, client):
    import base64

    text = base64.b64encode(f"vastai:{OWNER}".encode()).decode()
    assert (
        app.test_client().get("/system", headers={"Authorization": f"Basic {text}"}).status_code
        == 303
    )
    assert client.get("/system", headers={"Authorization": f"Basic {text}"}).status_code == 200


def test_a_strong_token_opens_however_many_wrong_ones_came_before(app):
    client = app.test_client()
    answers = [client.post("/login", data={"token": "no"}) for _ in range(FREE + 2)]
    assert [a.status_code for a in answers] == [401] * FREE + [429] * 2
    assert "Wait" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert client.post("/login", data={"token": OWNER}).status_code == 303


def test_a_weak_token_is_not_looked_at_while_guessing_has_to_wait(tmp_path, env):
    weak = make_app(tmp_path / "weak", {**env, "AUTH_TOKEN": "secret"})
    client = weak.test_client()
    for _ in range(FREE):
        client.get("/api/v1/jobs", headers={"Authorization": "Bearer no"})
    assert client.get("/?token=secret").location.startswith("/login")
    assert client.post("/login", data={"token": "secret"}).status_code == 429
    with weak.app_context():
        _, named = tokens.make("Ann", "full")
    assert client.get(f"/?token={named}").location == "/"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_waits_double_and_end_and_are_each_addresss_own():
    clock = Clock()
    attempts = Attempts(clock)
    waits = []
    for _ in range(FREE + 9):
        attempts.wrong("1.2.3.4")
        waits.append(attempts.wait("1.2.3.4"))
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 :] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert attempts.wait("1.2.3.5") == 0
    clock.now += 301
    assert attempts.wait("1.2.3.4") == 0
    attempts.right("1.2.3.4")
    attempts.wrong("1.2.3.4")
    assert attempts.wait("1.2.3.4") == 0


def test_neighbours_of_one_ipv6_network_share_and_a_flood_does_not_touch_who_is_known():
    clock = Clock()
    attempts = Attempts(clock)
    attempts.right("9.9.9.9")
    for number in range(FREE):
        attempts.wrong(f"2001:db8::{number:x}")
    assert attempts.wait("2001:db8::ffff") > 0
    for number in range(60):
        attempts.wrong(f"10.0.0.{number}")
    assert attempts.wait("8.8.8.8") == 60
    assert attempts.wait("9.9.9.9") == 0
    assert attempts.wait("not an address") == 60


def test_on_plain_loopback_the_first_named_token_makes_an_owners_token_and_locks_nobody_out(
    tmp_path, env
):
    open_house = make_app(tmp_path / "open", env)
    client = open_house.test_client()
    token = make(client)
    assert client.get("/system").status_code == 200
    settings = open_house.extensions["vast-lora"].settings
    assert access.token(settings)
    tunnel = {"X-Forwarded-For": "1.2.3.4", "Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/jobs", headers=tunnel).status_code == 200

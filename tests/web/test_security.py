"""What strangers may try: no token, a reading one, other sites, odd paths, bad requests, lost secrets."""

from __future__ import annotations

import logging
import os
import random
import string
from pathlib import Path

import pytest

from app import tokens
from app.db import db
from app.jobs import service, store
from app.jobs.states import JobState
from app.vault import Vault
from tests.support.platform import make_app
from tests.web.test_guard import OPEN, strings

OWNER = "the-owners-token-is-long"
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "800"))
"""10,000 take half a minute; each run of the suite tries some."""


@pytest.fixture
def locked(tmp_path, env):
    return make_app(tmp_path / "locked", {**env, "AUTH_TOKEN": OWNER})


def bearer(app, scope="read", job_id=None):
    with app.app_context():
        return {"Authorization": f"Bearer {tokens.make('Ann', scope, job_id)[1]}"}


def everything(app):
    """All rows of all tables, but the time of the last use of a token."""
    with app.app_context():
        rows = {}
        for table in db.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name != "last_used"]
            rows[table.name] = [tuple(r) for r in db.session.execute(db.select(*columns))]
        return rows


def test_no_method_on_any_route_answers_without_a_token(locked):
    client = locked.test_client()
    for method in CHANGING:
        for address in [*strings(locked, method), "/nowhere", "/api/v1/nowhere"]:
            if address in OPEN:
                continue
            answer = client.open(address, method=method)
            led = answer.status_code == 303 and answer.location == "/login"
            assert led or answer.status_code == 401, (method, address, answer.status_code)


def test_a_reading_token_changes_nothing_on_any_route(tmp_path, env, form):
    app = make_app(tmp_path / "read", {**env, "AUTH_TOKEN": OWNER})
    owner = {"Authorization": f"Bearer {OWNER}"}
    client = app.test_client()
    assert client.post("/jobs/", data={**form, "hold": "1"}, headers=owner).status_code == 303
    for headers in (bearer(app), bearer(app, job_id=1)):
        before = everything(app)
        for method in CHANGING:
            for address in strings(app, method):
                if address in ("/login", "/logout"):
                    continue
                answer = client.open(address, method=method, headers=headers)
                assert answer.status_code == 403, (method, address, answer.status_code)
        for address in strings(app, "GET"):
            client.get(address, headers=headers, buffered=True)
        assert everything(app) == before


def test_other_sites_change_nothing_behind_a_host_that_the_proxy_rewrites(tmp_path, env):
    app = make_app(tmp_path / "proxied", {**env, "TRUST_PROXY": "on", "AUTH_TOKEN": OWNER})
    client = app.test_client()
    seen = {
        "Authorization": f"Bearer {OWNER}", "X-Forwarded-Host": "gpu.example:40123",
        "X-Forwarded-Proto": "https", "Host": "localhost:17860",
    }  # fmt: skip
    for method in CHANGING:
        for address in strings(app, method):
            for wrong in ({"Origin": "https://evil.example"}, {"Origin": "http://localhost:17860"},
                          {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                          {"Origin": "null"}):  # fmt: skip
                answer = client.open(address, method=method, headers={**seen, **wrong})
                assert answer.status_code == 403, (method, address, wrong)


def test_behind_tls_the_cookie_is_for_tls_alone(tmp_path, env):
    app = make_app(tmp_path / "tls", {**env, "TRUST_PROXY": "on", "AUTH_TOKEN": OWNER})
    for proto, secure in (("https", True), ("http", False)):
        answer = app.test_client().get(f"/?token={OWNER}", headers={"X-Forwarded-Proto": proto})
        assert ("Secure" in answer.headers["Set-Cookie"]) == secure


ODD = (
    "../spec.yaml", "..%2fspec.yaml", "%2e%2e/spec.yaml", "..\\spec.yaml", "a/../../spec.yaml",
    "/etc/passwd", "%2fetc%2fpasswd", "....//spec.yaml", "%00", "x%00.png", "link.png", "up/spec.yaml",
    "..;/spec.yaml", "%252e%252e%252fspec.yaml", "~root", "C:\\x", ".", "..", "%c0%ae%c0%ae/spec.yaml",
)  # fmt: skip


def test_no_file_route_leads_out_of_its_folder(app, client, job, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_text("a-secret-file")
    run = service.run_dir(job)
    run.output.mkdir(parents=True, exist_ok=True)
    (run.output / "link.png").symlink_to(secret)
    (run.output / "up").symlink_to(run.root)
    routes = [
        rule.rule for rule in app.url_map.iter_rules()
        if "GET" in rule.methods and "<path:" in rule.rule
    ]  # fmt: skip
    assert routes
    for rule in routes:
        head = rule.partition("<path:")[0].replace("<int:job_id>", "1")
        if "<" in head:
            continue
        for odd in ODD:
            answer = client.get(head + odd, buffered=True)
            assert answer.status_code in (301, 308, 400, 404), (head + odd, answer.status_code)
            assert "a-secret-file" not in answer.text
            assert "trigger_word" not in answer.text
    for odd in ODD:
        for address in (
            f"/jobs/1/attempts/{odd}/log.txt",
            f"/jobs/{odd}/all.zip",
            f"/tasks/{odd}/log.txt",
        ):
            assert client.get(address, buffered=True).status_code in (301, 303, 308, 400, 404)


NASTY = "x\r\nSet-Cookie: evil=1\r\n\r\n<script>alert(1)</script>\x1b[31m"


def test_what_is_typed_splits_no_header_and_no_line_of_the_log(locked, caplog):
    caplog.set_level(logging.DEBUG)
    client = locked.test_client()
    for answer in (
        client.get("/login", query_string={"next": NASTY}),
        client.post("/login", data={"token": OWNER, "next": "/" + NASTY}),
        client.post("/login", data={"token": NASTY, "next": NASTY}),
        client.get("/", query_string={"q": NASTY, "token": OWNER}),
        client.get("/", query_string={"q": NASTY, "state": NASTY}),
        client.get("/nowhere" + NASTY.replace("\r\n", "%0d%0a")),
        client.post("/tasks/1/cancel", data={"next": "/" + NASTY}),
        client.get("/jobs/table", headers={"HX-Request": "true", "Authorization": "Bearer ä"}),
        client.post("/queue/pause", headers={"Origin": "http://[bad", "Sec-Fetch-Site": "odd"}),
    ):
        assert "evil" not in answer.headers.get("Set-Cookie", "")
        assert not any("\n" in value or "\r" in value for value in answer.headers.values())
        assert "<script>alert" not in answer.text
        assert answer.status_code < 500
    assert "evil=1\r\n" not in caplog.text
    assert "\x1b" not in caplog.text


FIELDS = ("name", "steps", "next", "policy", "grace_minutes", "job", "scope", "length.steps")
ASKED = ("v", "q", "state", "before", "limit", "offset", "token", "next", "family")
HEADERS = (
    "Range", "If-Range", "HX-Request", "Origin", "Cookie", "Accept-Encoding", "If-None-Match",
    "Content-Type", "Content-Length", "X-Forwarded-Host", "If-Modified-Since", "Host",
)  # fmt: skip


def noise(dice, most=40):
    pool = string.printable + "ä€😀\x00\x7f" + "%/.?&=;'\"<>{}[]\\"
    return "".join(dice.choice(pool) for _ in range(dice.randrange(most)))


def some_body(dice, method):
    """Noise, JSON that nobody asked for, or a form."""
    kind = dice.random()
    if kind < 0.2:
        return {"data": noise(dice, 200).encode("utf-8", "replace")}
    if kind < 0.4:
        odd = ([], {}, None, 1, noise(dice), {noise(dice, 9): [noise(dice)]})
        return {"json": dice.choice(odd)}
    if kind < 0.6 and method in CHANGING:
        return {"data": {dice.choice((*FIELDS, noise(dice, 6))): noise(dice)}}
    return {}


def bad_request(dice, addresses):
    """Any method at any address, with pieces of noise wherever a request can hold some."""
    address = dice.choice(addresses)
    if dice.random() < 0.4:
        address = address.replace(
            "1", dice.choice(("0", "-1", "9" * 25, "x", "1e9", noise(dice, 6)))
        )
    if dice.random() < 0.2:
        address = "/" + noise(dice)
    given = {"method": dice.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"))}
    if dice.random() < 0.6:
        names = (*ASKED, noise(dice, 8))
        given["query_string"] = {dice.choice(names): noise(dice) for _ in range(dice.randrange(4))}
    if dice.random() < 0.5:
        text = "".join(c for c in noise(dice) if c.isprintable() and ord(c) < 256)
        given["headers"] = {dice.choice(HEADERS): text}
    given |= some_body(dice, given["method"])
    return address, given


def test_of_thousands_of_bad_requests_not_one_fails_on_our_side(app, client, job):
    app.config["TESTING"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    dice = random.Random(7)
    addresses = sorted({a for m in ("GET", "POST", "DELETE") for a in strings(app, m)})
    # The form of a new job plans a whole training each time: few of those tell as much.
    light = [a for a in addresses if not a.startswith(("/jobs/new", "/jobs/from"))]
    failed = []
    for number in range(REQUESTS):
        address, given = bad_request(dice, addresses if number % 50 == 0 else light)
        try:
            answer = client.open(address, **given)
        except (ValueError, UnicodeError):
            continue  # the client of the test itself refuses to send that
        if answer.status_code >= 500:
            failed.append((address, given, answer.status_code))
        answer.close()
    assert failed == []


SECRETS = {"HF_TOKEN": "hf_planted_one", "CONTAINER_API_KEY": "planted-two", "AUTH_TOKEN": "planted-three-and-longer",
           "DATABASE_PASSWORD": "planted-four"}  # fmt: skip


def test_planted_secrets_are_on_no_page_in_no_log_and_in_no_file(
    tmp_path, env, form, caplog, monkeypatch
):
    caplog.set_level(logging.DEBUG)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    app = make_app(
        tmp_path / "planted",
        {**env, **SECRETS, "CONTAINER_ID": "1", "VAST_API_URL": "http://127.0.0.1:9"},
    )
    Vault(app.extensions["vast-lora"].settings.data_dir).put("webhook", "planted-five")
    client = app.test_client()
    client.get(f"/?token={SECRETS['AUTH_TOKEN']}")
    assert client.post("/jobs/", data={**form, "hold": "1"}).status_code == 303
    with app.app_context():
        store.move(service.get(1), JobState.CANCELLED)
    kept = [*SECRETS.values(), "planted-five"]
    for address in strings(app, "GET"):
        answer = client.get(address, buffered=True)
        told = answer.get_data() + str(answer.headers).encode()
        assert [s for s in kept if s.encode() in told] == [], address
    assert [s for s in kept if s in caplog.text + repr(app.extensions["vast-lora"].settings)] == []
    data = app.extensions["vast-lora"].settings.data_dir
    for path in data.rglob("*"):
        if path.is_file() and path.name != "secrets.json":
            assert [s for s in kept if s.encode() in path.read_bytes()] == [], path
    assert (data / "secrets.json").stat().st_mode & 0o077 == 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # it has ended, or is not ours to read
        assert [s for s in kept if s.encode() in line] == [], path

"""Who may come in, and what a request may change."""

from __future__ import annotations

import pytest
from werkzeug.routing import IntegerConverter

from app.models import Job
from tests.support.platform import make_app

OPEN = {"/login", "/healthz", "/favicon.ico"}
_NAMED = {"engine": "ai-toolkit"}


def addresses(app, method):
    """Every address of the application, with numbers and paths filled in."""
    for rule in app.url_map.iter_rules():
        if method in rule.methods and not rule.rule.startswith("/static/"):
            # Numbers are 1 and texts "x", whatever they are called.
            values = {
                name: 1 if isinstance(converter, IntegerConverter) else "x"
                for name, converter in rule._converters.items()
            }
            yield rule.build({**values, **_NAMED}, append_unknown=False)[1]


def strings(app, method):
    return sorted(set(addresses(app, method)))


@pytest.fixture
def locked(tmp_path, env):
    return make_app(tmp_path / "locked", {**env, "AUTH_TOKEN": "right"})


def test_every_address_without_a_token_answers_401_or_leads_to_the_login(locked):
    client = locked.test_client()
    for address in [*strings(locked, "GET"), "/nowhere", "/jobs/1/", "/api/v1/nowhere"]:
        if address in OPEN:
            continue
        answer = client.get(address)
        led = answer.status_code == 303 and answer.location.startswith("/login")
        assert led or answer.status_code == 401, (address, answer.status_code)
    for address in strings(locked, "POST"):
        if address not in OPEN:
            assert client.post(address).status_code in (303, 401), address


def test_no_address_changes_anything_on_get(app, client, job):
    before = {column.name: getattr(job, column.name) for column in Job.__table__.columns}
    for address in strings(app, "GET"):
        client.get(address, buffered=True)
    with app.app_context():
        from app.jobs import service, store

        again = service.get(1)
        after = {column.name: getattr(again, column.name) for column in Job.__table__.columns}
        assert store.counts() == {"queued": 1}
        assert not service.queue_paused()
    assert after == before


def test_a_link_with_the_token_sets_the_cookie_and_leads_to_the_same_page_without_it(locked):
    client = locked.test_client()
    answer = client.get("/system?token=right&x=1")
    assert (answer.status_code, answer.location) == (303, "/system?x=1")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "right" not in cookie
    assert client.get("/system").status_code == 200


def test_a_wrong_token_does_not_open_and_the_bearer_does(locked):
    client = locked.test_client()
    assert client.get("/?token=wrong").status_code == 303
    assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer right"}).status_code == 200


def test_a_login_never_leads_to_another_site(locked):
    client = locked.test_client()
    for target in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:x"):
        answer = client.post("/login", data={"token": "right", "next": target})
        assert answer.location == "/", target


def test_a_forwarded_request_to_a_server_without_a_token_is_shut_out(client):
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 303


def test_an_expired_login_sends_a_fragment_to_the_login_page(locked):
    answer = locked.test_client().get("/jobs/table", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, True),
    ],
)
def test_what_another_site_sends_is_refused(client, headers, allowed):
    answer = client.post("/queue/pause", headers=headers)
    assert answer.status_code == (303 if allowed else 403)


def test_behind_a_proxy_the_forwarded_host_is_the_one_that_counts(tmp_path, env):
    app = make_app(tmp_path / "proxied", {**env, "TRUST_PROXY": "on", "AUTH_TOKEN": "right"})
    headers = {
        "Authorization": "Bearer right", "X-Forwarded-Host": "gpu.example:40123",
        "X-Forwarded-Proto": "https", "Host": "localhost:17860",
    }  # fmt: skip
    client = app.test_client()
    good = client.post("/queue/pause", headers={**headers, "Origin": "https://gpu.example:40123"})
    bad = client.post("/queue/pause", headers={**headers, "Origin": "http://localhost:17860"})
    assert (good.status_code, bad.status_code) == (303, 403)
    assert good.location == "/"


def test_every_page_carries_a_strict_policy_and_no_inline_script_or_style(client, job):
    for address in ("/", "/jobs/new", "/jobs/1", "/engines", "/system", "/login"):
        answer = client.get(address)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "style=" not in answer.text, address
        assert "<script>" not in answer.text, address
        assert " onclick" not in answer.text, address


def test_a_generated_token_is_kept_private_and_kept(tmp_path):
    from app import access
    from app.settings import Settings

    settings = Settings.from_env({"DATA_DIR": str(tmp_path / "d"), "HOST": "0.0.0.0"})
    made = access.ensure_token(settings)
    assert made
    assert access.ensure_token(settings) == made
    assert (tmp_path / "d" / "auth-token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
@pytest.mark.parametrize("path", ["/", "/api/v1/jobs", "/jobs/1/status", "/login"])
def test_a_host_that_is_none_is_refused_in_a_sentence(client, host, path):
    answer = client.get(path, environ_overrides={"HTTP_HOST": host})
    assert answer.status_code == 400
    assert "Host header" in answer.text

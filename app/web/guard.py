"""Who may come in, before any address is looked at; and what every answer carries."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue

from app import access
from app.platform import current
from app.web import htmx

COOKIE = "vast_lora"
COOKIE_SECONDS = 30 * 24 * 3600
_OPEN = ("/login", "/healthz", "/favicon.ico")
_FORWARDING = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Forwarded",
    "CF-Connecting-IP",
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CSP = (
    "default-src 'self'; img-src 'self' data:; media-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def install(app: Flask) -> None:
    """Authentication first, then the check for requests forged by other sites."""
    app.before_request(_authenticate)
    app.before_request(_refuse_other_sites)
    app.after_request(_harden)


def is_open(path: str) -> bool:
    """Addresses that answer without a token; nothing private is behind them."""
    return path in _OPEN or path.startswith("/static/")


def _authenticate() -> ResponseReturnValue | None:
    if is_open(request.path):
        return None
    settings = current().settings
    secret = access.token(settings)
    forwarded = any(name in request.headers for name in _FORWARDING)
    if not (settings.needs_token or settings.auth_token or forwarded):
        return None
    given = request.args.get("token")
    if secret and given and request.method == "GET" and access.same(given, secret):
        rest = [(k, v) for k, v in request.args.items(multi=True) if k != "token"]
        return let_in(f"{request.path}?{urlencode(rest)}" if rest else request.path, secret)
    if secret and (_bearer_is(secret) or _cookie_is(secret)):
        return None
    return _shut_out()


def _bearer_is(secret: str) -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and access.same(given.strip(), secret)


def _cookie_is(secret: str) -> bool:
    return access.same(request.cookies.get(COOKIE, ""), access.cookie_value(secret))


def _shut_out() -> ResponseReturnValue:
    if request.path.startswith("/api/") or request.path == "/metrics":
        return {"error": "A token is needed: send it as Authorization: Bearer TOKEN."}, 401
    if htmx.is_htmx():
        return "", 401, {"HX-Redirect": "/login"}
    if request.method not in _SAFE:
        return redirect("/login", 303)
    return redirect(f"/login?{urlencode({'next': request.full_path.rstrip('?')})}", 303)


def let_in(target: str, secret: str) -> ResponseReturnValue:
    """A redirect to an address of ours that also sets the cookie."""
    response = redirect(own_address(target), 303)
    response.set_cookie(
        COOKIE,
        access.cookie_value(secret),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


def own_address(target: str) -> str:
    """The target if it is a path of ours, else the start page: no redirect leads elsewhere."""
    parts = urlsplit(target)
    ours = target.startswith("/") and not parts.netloc and not parts.scheme and "\\" not in target
    return target if ours and not target.startswith("//") else "/"


def _refuse_other_sites() -> ResponseReturnValue | None:
    """A browser says where a request comes from; what comes from another site changes nothing."""
    if request.method in _SAFE:
        return None
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = urlsplit(origin).netloc == request.host
    else:
        ours = True  # no browser: a script with its own token
    if ours:
        return None
    if request.path.startswith("/api/"):
        return {"error": "This request came from another site and was refused."}, 403
    return Response(
        "This request came from another site and was refused.\n", 403, mimetype="text/plain"
    )


def _harden(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _CSP)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    if not request.path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    return response

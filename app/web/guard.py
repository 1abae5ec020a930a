"""Who may come in, before any address is looked at; and what every answer carries."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, current_app, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app import access, tokens
from app.platform import current
from app.web import htmx, styles, visitor
from app.web.attempts import Attempts

COOKIE = visitor.COOKIE
ATTEMPTS = "vast-lora-attempts"
_OPEN = ("/login", "/healthz", "/favicon.ico")
_FORWARDING = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Forwarded",
    "CF-Connecting-IP",
)
_SAFE = visitor.SAFE
_CSP = (
    "default-src 'self'; img-src 'self' data:; media-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def install(app: Flask) -> None:
    """Authentication first, then the check for requests forged by other sites."""
    app.extensions[ATTEMPTS] = Attempts()
    app.context_processor(lambda: {"visitor": visitor.visitor()})
    app.before_request(_authenticate)
    app.before_request(_authorise)
    app.before_request(_refuse_other_sites)
    app.after_request(_harden)


def is_open(path: str) -> bool:
    """Addresses that answer without a token; nothing private is behind them."""
    return path in _OPEN or path.startswith("/static/")


def _authenticate() -> ResponseReturnValue | None:
    if is_open(request.path):
        return None
    settings = current().settings
    forwarded = any(name in request.headers for name in _FORWARDING)
    needed = settings.needs_token or settings.auth_token or forwarded
    if request.method == "GET" and request.args.get("token") is not None:
        found, _ = look(request.args.get("token", ""))
        if found is not None:
            return let_in(visitor.without_token(), found)
    if not needed:
        return None
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    # Caddy passes its own basic login on; it is not meant for us.
    found = look(given.strip())[0] if kind.lower() == "bearer" else visitor.by_cookie(settings)
    if found is None:
        return _shut_out()
    g.visitor = found
    return None


def look(given: str) -> tuple[visitor.Visitor | None, float]:
    """Whose token this is, and how long to wait before the next guess. Counts wrong ones."""
    settings = current().settings
    attempts: Attempts = current_app.extensions[ATTEMPTS]
    wait = attempts.wait(request.remote_addr)
    weak = len(access.token(settings) or "") < access.STRONG
    if wait and weak and not tokens.looks_named(given):
        return None, wait
    found = visitor.by_token(given, settings)
    if found is None:
        attempts.wrong(request.remote_addr)
    elif not wait:
        attempts.right(request.remote_addr)
    return found, wait


def _authorise() -> ResponseReturnValue | None:
    """What the visitor's token is not for is refused, whether it exists or not."""
    who = visitor.visitor()
    if is_open(request.path) or who.may():
        return None
    if who.job_id is not None and request.method in _SAFE and request.path in ("/", "/jobs"):
        return redirect(who.home, 303)
    text = "This link shows a run and changes nothing. Ask its owner for more."
    if request.path.startswith("/api/"):
        return {"error": text}, 403
    if htmx.is_htmx():
        return render_template("fragments/flash.html", text=text), 403
    return render_template("pages/error.html", text=text, title="Only for looking"), 403


def _shut_out() -> ResponseReturnValue:
    if request.path.startswith("/api/") or request.path == "/metrics":
        return {"error": "A token is needed: send it as Authorization: Bearer TOKEN."}, 401
    if htmx.is_htmx():
        return "", 401, {"HX-Redirect": "/login"}
    if request.method not in _SAFE:
        return redirect("/login", 303)
    target = visitor.without_token()
    return redirect(f"/login?{urlencode({'next': target})}", 303)


def let_in(target: str, who: visitor.Visitor) -> ResponseReturnValue:
    """A redirect to an address of ours that also sets a cookie of its own for this login."""
    response = redirect(who.home if own_address(target) == "/" else own_address(target), 303)
    response.set_cookie(
        COOKIE,
        access.new_cookie(who.who, who.key),
        max_age=access.SESSION_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


def own_address(target: str) -> str:
    """The target if it is a path of ours, else the start page: no redirect leads elsewhere."""
    parts = urlsplit(target)
    ours = target.startswith("/") and not parts.netloc and not parts.scheme and "\\" not in target
    ours = ours and target.isprintable()
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


def _policy() -> str:
    """The styles that are in the page are allowed, and files of ours that a script asks for."""
    inside = " ".join(sheet.policy for sheet in styles.used())
    return f"{_CSP}; style-src 'self' {inside}" if inside else _CSP


def _harden(response: Response) -> Response:
    headers = response.headers
    if response.status_code != 204:
        # An empty answer to a poll has nothing to protect; these would be most of its bytes.
        headers.setdefault("Content-Security-Policy", _policy())
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
    if not request.path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    return response

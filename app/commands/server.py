"""serve, migrate, doctor: the program itself."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
from pathlib import Path

from app.commands import Subparsers, add_command, application
from engines.registry import ENGINE_NAMES


def add_to(commands: Subparsers) -> None:
    """Add the parsers."""
    serve = add_command(commands, "serve", "run the dashboard in the foreground")
    serve.add_argument(
        "--no-jobs", action="store_true", help="pages only, for Windows: jobs cannot run there"
    )
    serve.set_defaults(run=_serve)
    migrate = add_command(commands, "migrate", "bring the database to the current schema")
    migrate.set_defaults(run=_migrate)
    doctor = add_command(commands, "doctor", "say whether jobs can run here; exit with 1 if not")
    doctor.add_argument("--engine", choices=ENGINE_NAMES, help="look at one engine only")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)


def _migrate(_arguments: argparse.Namespace) -> int:
    from app import schema
    from app.settings import Settings

    settings = Settings.from_env(os.environ)
    done = schema.migrate(settings)
    print(f"{settings.data_dir}: the database {'was brought' if done else 'is'} up to date.")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from app import access, schema
    from app.settings import ROOT, Settings

    settings = Settings.from_env(os.environ)
    schema.migrate(settings)
    if problem := _port_problem(settings.host, settings.port):
        print(f"vast-lora: {problem}", file=sys.stderr)
        return 2
    token = access.ensure_token(settings)
    shown = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"http://{shown}:{settings.port}/"
    print(f"Vast LoRA Platform: {address}", flush=True)
    if token:
        print(f"Log in with this link: {address}?token={token}", flush=True)
    if token and settings.host == "0.0.0.0" and settings.public_address:
        # On a rented machine with no proxy before us the first link leads to nobody's own machine.
        print(f"From outside: http://{settings.public_address}/?token={token}", flush=True)
    elif settings.host in ("0.0.0.0", "::"):
        print(
            "From another computer: the same, with this machine's name or address in place of 127.0.0.1.",
            flush=True,
        )
    if arguments.no_jobs:
        return _serve_pages(settings.host, settings.port)
    # gunicorn's configuration reads the same environment; nothing secret goes into argv.
    gunicorn = Path(sys.executable).with_name("gunicorn")
    command = [str(gunicorn), "-c", str(ROOT / "gunicorn.conf.py"), "app.wsgi:app"]
    os.chdir(ROOT)
    os.execv(command[0], command)


def _port_problem(host: str, port: int) -> str:
    """Why nothing can listen there; empty when something can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"{host}:{port} cannot be listened on ({error.strerror}). Set PORT to another number."
    return ""


def _serve_pages(host: str, port: int) -> int:
    """Serve without a supervisor, for systems that cannot run jobs (Windows)."""
    try:
        import waitress
    except ImportError:
        print(
            "vast-lora: --no-jobs is for Windows, where its server is installed. "
            "Elsewhere leave it out, and pause the queue on the Jobs page.",
            file=sys.stderr,
        )
        return 2
    from app import create_app
    from app.settings import Settings

    app = create_app(Settings.from_env(os.environ))
    print("Pages only: jobs cannot run natively here. Use WSL or Docker for that.", flush=True)
    waitress.serve(app, host=host, port=port, threads=8)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from app.jobs import doctor

    with application():
        lines = doctor.examine(arguments.engine)
    if arguments.json:
        print(json.dumps([line._asdict() for line in lines], indent=1))
    else:
        # On a terminal a line stays a line; in a file or a pipe nothing is cut.
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in lines:
            print(
                f"{'ok  ' if line.ok else 'FAIL' if line.needed else 'warn'}  {line.what}: {line.text}"[
                    :width
                ]
            )
    return 1 if any(line.needed and not line.ok for line in lines) else 0

"""The command line: ``vast-lora``. The same service layer as the web."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.errors import UserError
from app.settings import SettingsError

if TYPE_CHECKING:
    from sqlalchemy.exc import OperationalError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (UserError, SettingsError) as error:
        print(f"vast-lora: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = error.filename or "A file"
        what = f"vast-lora: {place} cannot be read or written: {error.strerror or error}."
        print(f"{what} Check the path, its owner and the disk, or set DATA_DIR.", file=sys.stderr)
        return 2
    except _database_error() as error:
        why = str(error.orig).splitlines()[0]
        print(f"vast-lora: the database cannot be used: {why}. Is the disk full?", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _database_error() -> type[OperationalError]:
    """Looked up when something was raised: what needs no database does not load its library."""
    from sqlalchemy.exc import OperationalError

    return OperationalError


def _parser() -> argparse.ArgumentParser:
    from app.commands import jobs, native, presets, server

    parser = argparse.ArgumentParser(
        prog="vast-lora",
        description="Trains LoRAs with ai-toolkit or kohya_ss, on the same queue as the dashboard.",
        epilog="vast-lora COMMAND --help tells more. The settings are environment variables: see README.md.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    server.add_to(commands)
    jobs.add_to(commands)
    native.add_to(commands)
    presets.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

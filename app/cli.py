"""The command line: ``vast-lora``. The same service layer as the web."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from app.errors import UserError
from app.settings import SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (UserError, SettingsError) as error:
        print(f"vast-lora: {error}", file=sys.stderr)
        return 2
    except PermissionError as error:
        place = error.filename or "A file"
        print(
            f"vast-lora: {place} may not be written. Check its owner, or set DATA_DIR.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


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

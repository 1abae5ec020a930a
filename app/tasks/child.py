"""The process of one piece of background work: ``python -m app.tasks.child``.

Standard input holds one line, ``{"id", "run", "nice", "arguments"}`` (``run`` is ``module:function``), and
stays open while the server lives: its end means that the server is gone, and so ends this process
with all it started.
Standard output carries lines of JSON: progress, and one ``result`` or ``error`` as the last.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import IO, Any

_PATIENCE_SECONDS = 5.0


def main() -> int:
    """Do the work; the exit code is 0 also when it failed with a sentence."""
    os.setsid()
    task = json.loads(sys.stdin.readline())
    os.nice(task["nice"])
    signal.signal(signal.SIGTERM, _cancelled)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    # Whatever a library prints goes to the log; the pipe carries our lines alone.
    tell = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    words = _do(task, tell)
    tell.write(json.dumps(words, ensure_ascii=False) + "\n")
    tell.flush()
    return 0


def _do(task: dict[str, Any], tell: IO[str]) -> dict[str, Any]:
    from app.errors import UserError
    from app.settings import Settings
    from app.tasks.work import RetryLaterError, Work, log_path

    settings = Settings.from_env(os.environ)
    work = Work(
        task["id"], task["arguments"], settings, tell=tell, log=log_path(settings, task["id"])
    )
    try:
        module, _, function = task["run"].partition(":")
        result = getattr(importlib.import_module(module), function)(work)
    except RetryLaterError as error:
        return {"error": str(error), "retry_in": error.seconds}
    except UserError as error:
        return {"error": str(error)}
    except OSError as error:
        traceback.print_exc()
        where = f" ({error.filename})" if error.filename else ""
        return {"error": f"{error.strerror or error}{where}."}
    except Exception as error:  # noqa: BLE001 - told to the parent, and the log holds it whole
        traceback.print_exc()
        return {"error": f"It broke off: {type(error).__name__}: {error}. The log tells where."}
    return {"result": result if isinstance(result, dict) else {}}


def _cancelled(_signal: int, _frame: object) -> None:
    raise SystemExit(143)


def _end_with_the_server() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

"""gunicorn: one worker with threads, and the supervisor beside them.

One worker, because the supervisor lives in it; no preload, so that it starts after the fork.
"""

import gc
import logging
import os
import sys

_behind_vasts_proxy = bool(os.environ.get("PORTAL_CONFIG"))
_host = os.environ.get("HOST") or "127.0.0.1"
_port = os.environ.get("PORT") or ("17860" if _behind_vasts_proxy else "7860")

bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"
workers = 1
worker_class = "gthread"
threads = 8
preload_app = False
keepalive = 15
graceful_timeout = 30
# With threads the worker itself reports that it is alive, however long an upload takes.
timeout = 60
if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK):
    # A disk that is slow or full must not make the worker look dead.
    worker_tmp_dir = "/dev/shm"
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def post_fork(server, worker):  # type: ignore[no-untyped-def]
    """Loading makes 180 000 objects that stay: walking them again and again is a tenth of a start."""
    gc.disable()
    # A page takes some 5 ms: threads that take turns within one cost more than a page that comes later.
    sys.setswitchinterval(0.02)
    _keep_memory_together()
    _receive_in_small_pieces()


def _keep_memory_together():  # type: ignore[no-untyped-def]
    """Eight threads share two heaps: each would else get one of its own, which only grows.

    Large blocks, such as a decoded picture, go back to the system when they are freed. What a page
    takes stays: heaps that shrink and grow with each page cost a tenth of it.
    """
    import ctypes

    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # not in musl
        mallopt(arena_max, 2)
        mallopt(mmap_threshold, 256 * 1024)
        mallopt(trim_threshold, 1024 * 1024)


def _receive_in_small_pieces():  # type: ignore[no-untyped-def]
    """Pieces that fit into memory a thread has already, five times as fast as gunicorn's of 1 MB.

    Those are mapped and unmapped by the kernel each time, page by page.
    """
    from gunicorn.http.unreader import SocketUnreader

    SocketUnreader.max_body_chunk = 64 * 1024


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Start the supervisor in the worker, once the application is loaded."""
    from app.repeats import Repeats

    gc.freeze()
    gc.enable()
    logging.getLogger("app.jobs.supervisor").addFilter(Repeats())
    worker.app.callable.extensions["vast-lora"].start_supervisor()


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """Stop supervising. Running jobs go on; the next worker adopts them."""
    application = getattr(worker.app, "callable", None)
    if application is not None:
        application.extensions["vast-lora"].stop_supervisor()

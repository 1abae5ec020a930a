"""The tunnel's address, as the portal's manager on this machine tells it."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from app.vast import tunnels


def manager(answer: bytes) -> str:
    """A manager that answers once; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + answer
                )

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def listed(*pairs: tuple[str, str]) -> bytes:
    return json.dumps([{"targetUrl": inner, "tunnelUrl": outer} for inner, outer in pairs]).encode()


OURS = ("http://localhost:7860", "https://quiet-river.trycloudflare.com")
JUPYTER = ("http://localhost:8080", "https://loud-sea.trycloudflare.com")


def test_our_tunnel_is_found_among_those_of_others():
    assert tunnels.address(manager(listed(JUPYTER, OURS))) == OURS[1]


@pytest.mark.parametrize(
    "answer",
    [listed(JUPYTER), b"[]", b'{"detail": "no"}', b"<html>", b'[1, {"targetUrl": "http://[x"}]',
     listed((OURS[0], "javascript:alert(1)"))],
)  # fmt: skip
def test_what_is_no_tunnel_of_ours_is_no_address(answer):
    assert tunnels.address(manager(answer)) == ""


def test_without_a_manager_there_is_no_address_and_no_error():
    assert tunnels.address("") == ""
    assert tunnels.address("http://127.0.0.1:9") == ""

"""The client against a stand-in of Vast's API, in every mood that it has."""

from __future__ import annotations

import logging

import pytest

from app.vast import Client, Instance, Keeper, Kind
from tests.support.vast import INSTANCE, KEY, RECORD, vast


@pytest.fixture
def api():
    with vast() as found:
        yield found


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(api, waits):
    return Client(api.url, INSTANCE, KEY, sleep=waits.append)


def test_its_own_record_is_read_with_the_key_in_the_header_alone(api, client):
    found = client.show()
    assert found.ok
    assert Instance.from_record(found.body).price == RECORD["dph_total"]
    assert api.asked == [("GET", f"/api/v0/instances/{INSTANCE}/?owner=me", None)]


def test_stop_and_destroy_say_what_vast_wants_to_hear(api, client):
    assert client.stop().ok
    assert api.asked[-1] == ("PUT", f"/api/v0/instances/{INSTANCE}/", {"state": "stopped"})
    assert api.state == "stopped"
    assert client.destroy().ok
    assert api.asked[-1] == ("DELETE", f"/api/v0/instances/{INSTANCE}/", {})
    assert client.stop().kind is Kind.GONE


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (401, Kind.REFUSED, "refused the key"),
        (403, Kind.REFUSED, "does not let"),
        (404, Kind.GONE, "no such instance"),
        (429, Kind.BUSY, "too often"),
        (500, Kind.ILL, "trouble of its own (500)"),
        (503, Kind.ILL, "trouble of its own (503)"),
        (400, Kind.DECLINED, "as the test wants it"),
        ({"success": False, "msg": "no"}, Kind.DECLINED, "without success"),
        ({"success": "true"}, Kind.DECLINED, "without success"),
        ({}, Kind.DECLINED, "without success"),
        (b"<html>hello", Kind.DECLINED, "no JSON"),
        (b"[]", Kind.DECLINED, "unexpected"),
        (b"", Kind.DECLINED, "no JSON"),
        ("cut", Kind.UNREACHABLE, "cannot be reached"),
    ],
)
def test_only_a_body_that_says_success_is_a_success(api, client, answer, kind, words):
    api.answers = [answer]
    found = client.stop()
    assert (found.kind, found.ok) == (kind, False)
    assert words in found.sentence
    assert KEY not in found.sentence


def test_an_api_that_hangs_is_given_up(api, client):
    client.timeout = 0.05
    api.answers = ["hang"]
    found = client.stop()
    assert found.kind is Kind.UNREACHABLE
    assert "did not answer" in found.sentence


def test_nobody_there_is_told_as_such():
    found = Client("http://127.0.0.1:9", INSTANCE, KEY).stop()
    assert found.kind is Kind.UNREACHABLE


def test_a_look_is_tried_again_with_growing_waits_while_that_may_help(api, client, waits):
    api.answers = [429, 503, "cut"]
    assert client.show().ok
    assert waits == [2.0, 4.0, 8.0]
    api.answers, waits[:] = [429] * 9, []
    assert client.show().kind is Kind.BUSY
    assert waits == [2.0, 4.0, 8.0]


def test_a_refusal_is_not_asked_again(api, client, waits):
    api.answers = [401]
    assert client.show().kind is Kind.REFUSED
    assert waits == []


def test_the_key_is_in_no_repr_and_in_no_log(api, client, caplog):
    caplog.set_level(logging.DEBUG)
    api.answers = [401, "cut", {"success": False, "msg": "x\ny"}]
    found = [client.stop(), client.stop(), client.stop()]
    assert KEY not in repr(client) + repr(found) + caplog.text
    assert "\n" not in found[2].sentence


def test_a_key_that_no_header_can_hold_is_told_without_showing_it(api, caplog):
    found = Client(api.url, INSTANCE, "bad\nsecret").stop()
    assert found.kind is Kind.REFUSED
    assert "secret" not in found.sentence + caplog.text


@pytest.mark.parametrize("record", [{}, {"dph_total": "x", "end_date": None, "is_bid": 1},
                                    {"dph_total": -1}, {"dph_total": float("nan")}, {"dph_total": True}])  # fmt: skip
def test_a_record_with_nonsense_in_it_tells_nothing(record):
    assert Instance.from_record(record) == Instance()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_the_record_is_read_again_after_ten_minutes_and_sooner_after_a_failure(api, client):
    clock = Clock()
    keeper = Keeper(client, spawn=lambda work: work(), clock=clock)
    api.answers = [401]
    keeper.tick()
    assert keeper.instance is None
    assert "refused the key" in keeper.problem
    clock.now += 121
    keeper.tick()
    assert keeper.instance.credit == 12.5
    assert keeper.problem == ""
    keeper.tick()
    clock.now += 599
    keeper.tick()
    assert len(api.asked) == 2
    clock.now += 2
    keeper.tick()
    assert len(api.asked) == 3


def test_an_order_is_sent_once_and_its_answer_is_told_once(api, client):
    held = []
    keeper = Keeper(client, spawn=held.append)
    keeper.order("stop")
    keeper.order("stop")
    assert keeper.ordering
    assert len(held) == 1
    held[0]()
    assert keeper.answer().ok
    assert keeper.answer() is None
    assert api.orders == ["stop"]


def test_what_nobody_foresaw_is_told_as_a_problem_and_tried_again(caplog):
    class Broken:
        def show(self):
            raise RuntimeError("a record of another world")

        stop = show

    caplog.set_level("CRITICAL", "app.vast.keeper")
    keeper = Keeper(Broken(), spawn=lambda work: work(), clock=lambda: 0.0)
    keeper.tick()
    assert keeper.problem == "The answer of Vast's API could not be understood."
    keeper.order("stop")
    assert not keeper.ordering
    answer = keeper.answer()
    assert (answer.ok, answer.sentence) == (False, "It could not be sent: RuntimeError.")


def test_without_a_key_nothing_is_asked():
    keeper = Keeper(None, spawn=lambda work: pytest.fail("asked"))
    keeper.tick()
    keeper.order("stop")
    assert keeper.answer() is None

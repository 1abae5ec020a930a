"""The chart in a real browser: drawn, zoomed, remembered; a picture without JavaScript."""

from __future__ import annotations

import random
from urllib.parse import parse_qs, urlsplit

import pytest

from app.jobs.curves import Curves
from app.jobs.points import Point, append_points
from app.jobs.series import Sample
from tests.support.wait import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def drawn(server, document):
    """A finished job with two attempts and one wild loss."""
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4}})
    server.wait_for(1, "succeeded")
    chance = random.Random(1)
    folder = server.data / "jobs/1"
    (folder / "metrics.csv").unlink(missing_ok=True)
    for path in (folder / "metrics").glob("*"):
        path.unlink()
    for path in (folder / "metrics").glob(".*"):
        path.unlink()
    rows = [Point(1, n, 100.0 + n, chance.random() / 10, 1e-4) for n in range(1, 900)]
    rows += [Point(2, n, 2000.0 + n, chance.random() / 10, 1e-4) for n in range(800, 1200)]
    rows[700] = rows[700].__class__(1, 701, 801.0, 5.0, 1e-4)
    append_points(folder / "metrics.csv", rows)
    Curves(folder / "metrics").build(rows)
    return server


def drag(page, begin, end):
    """Press on the chart and move, between shares of its width; the button stays down."""
    box = page.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 40, steps=5)


def test_the_chart_is_drawn_zoomed_and_remembers_what_was_chosen(page, drawn):
    page.goto(f"{drawn.url}/jobs/1")
    page.wait_for_selector(".curve canvas")
    caption = page.locator(".curve figcaption")
    until(lambda: "Loss: " in caption.inner_text(), 10, "the numbers are told")
    drag(page, 0.2, 0.4)
    with page.expect_response(lambda r: "curves.json" in r.url and "from=" in r.url):
        page.mouse.up()
    until(lambda: "to go back" in caption.inner_text(), 10, "it is zoomed")
    page.click("button:has-text('Whole run')")
    page.select_option("[data-curve=series]", "learning_rate")
    until(lambda: "Learning rate: " in caption.inner_text(), 10, "the other series")
    page.reload()
    page.wait_for_selector(".curve canvas")
    assert page.input_value("[data-curve=series]") == "learning_rate"


def test_buttons_zoom_and_move_the_chart_as_a_drag_does(page, drawn):
    page.goto(f"{drawn.url}/jobs/1")
    page.wait_for_selector(".curve canvas")
    caption = page.locator(".curve figcaption")
    until(lambda: "Loss: " in caption.inner_text(), 10, "the numbers are told")

    def part_after(name):
        with page.expect_response(lambda r: "curves.json" in r.url and "from=" in r.url) as asked:
            page.get_by_role("button", name=name).click()
        query = parse_qs(urlsplit(asked.value.url).query)
        return float(query["from"][0]), float(query["to"][0])

    assert part_after("Closer") == (300.5, 899.5)
    assert part_after("Later part") == (600, 1199)
    assert part_after("Closer") == (749.75, 1049.25)
    page.get_by_role("button", name="Wider").click()
    page.get_by_role("button", name="Wider").click()
    until(lambda: "hover for values" in caption.inner_text(), 10, "the whole run is shown again")


def test_jobs_compared_over_time_are_zoomed_each_from_its_own_beginning(page, drawn, document):
    drawn.post("/api/v1/jobs", {**document, "length": {"steps": 4}, "name": "other"})
    drawn.wait_for(2, "succeeded")
    Curves(drawn.data / "jobs/2/metrics").append(
        {"loss": [Sample(n, 1, 90_000.0 + n, 1 / n) for n in range(1, 900)]}
    )
    page.goto(f"{drawn.url}/compare?jobs=1,2")
    page.wait_for_selector(".curve canvas")
    page.select_option("[data-curve=axis]", "time")
    until(lambda: page.locator(".u-legend th", has_text="time").count(), 10, "it is over time")
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "from=" in r.url else None)
    page.get_by_role("button", name="Closer").click()
    until(lambda: len(asked) == 2, 10, "both jobs are asked for a part")
    parts = [float(parse_qs(urlsplit(url).query)["from"][0]) for url in asked]
    assert parts[1] - parts[0] == 90_001 - 101


@pytest.fixture
def live(make_server, document):
    """A running job, and a function that records the next so many points of it."""
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    server.wait_for(1, "running")
    curves, told = Curves(server.data / "jobs/1/metrics"), iter(range(1, 4000))

    def record(points):
        steps = [next(told) for _ in range(points)]
        curves.append({"loss": [Sample(n, 1, 100.0 + n, 1 / n) for n in steps]})

    record(60)
    yield server, record
    server.post("/api/v1/jobs/1/stop")
    server.wait_for(1, "cancelled")


def test_what_a_poll_brings_leaves_the_chart_that_a_person_drags_on(page, live):
    """A chart made anew at each answer lost the drag, and what it held on to zoomed at later clicks."""
    server, record = live
    page.goto(f"{server.url}/jobs/1")
    page.wait_for_selector(".curve canvas")
    page.locator(".u-over").scroll_into_view_if_needed()
    page.locator(".curve canvas").evaluate("canvas => { canvas.dataset.first = ''; }")
    caption = page.locator(".curve figcaption")
    until(lambda: "at last" in caption.inner_text(), 10, "the caption tells")
    drag(page, 0.2, 0.6)
    before = caption.inner_text()
    record(10)
    until(lambda: caption.inner_text() != before, 30, "a poll brought points")
    assert page.locator(".curve canvas[data-first]").count() == 1
    with page.expect_response(lambda r: "curves.json" in r.url and "from=" in r.url):
        page.mouse.up()
    until(lambda: "to go back" in caption.inner_text(), 10, "it is zoomed")
    shown = "document.querySelector('.u-select').getBoundingClientRect().width"
    until(lambda: page.evaluate(shown) < 1, 10, "nothing is left of the drag")


def test_another_axis_is_asked_for_as_a_whole_until_it_is_there(page, live):
    """Points over time do not follow those over steps."""
    server, _ = live
    page.goto(f"{server.url}/jobs/1")
    page.wait_for_selector(".curve canvas")
    until(lambda: "at last" in page.inner_text(".curve figcaption"), 10, "the numbers are there")
    asked = []

    def lose_the_first(route):
        asked.append(route.request.url)
        route.fulfill(status=204) if len(asked) == 1 else route.continue_()

    page.route("**/curves.json?*axis=time*", lose_the_first)
    page.select_option("[data-curve=axis]", "time")
    until(lambda: page.evaluate("1") and len(asked) > 1, 30, "it asks again")
    assert "since=" not in asked[1]


def test_without_javascript_the_curve_is_a_picture(browser, drawn):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{drawn.url}/jobs/1")
    assert page.locator(".curve img").evaluate("image => image.naturalWidth") > 0
    assert not page.locator(".curve-tools").is_visible()
    page.click("#curve-numbers summary")
    assert "Learning rate" in page.locator("#curve-values").inner_text()
    context.close()

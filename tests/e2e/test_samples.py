"""Looking at a run: samples in a viewer by keyboard, two against each other, and a log that is searched."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.support import vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e

PROMPTS = ["a zxq on a beach", "a zxq in the snow"]


@pytest.fixture
def watched(page, make_server, document):
    """The page of a running job with samples of three steps and a long log."""
    server = make_server(STANDIN_SECONDS="0.1")
    wanted = {
        **document, "engine": "ai-toolkit", "length": {"steps": 4000},
        "sampling": {"prompts": PROMPTS, "every_steps": 1000, "width": 512, "height": 512},
    }  # fmt: skip
    server.post("/api/v1/jobs", wanted)
    until(lambda: server.job(1)["state"] == "running", 20, "the job runs")
    folder = server.data / "jobs/1/output/dog/samples"
    folder.mkdir(parents=True, exist_ok=True)
    for step in (0, 10, 20):
        draw(folder, step)
    with (server.data / "jobs/1/attempts/1/log.txt").open("a") as log:
        log.writelines(f"early {n}\n" for n in range(9000))
        log.write("\x1b[33mWARNING\x1b[0m <b>odd</b>\nValueError: Nadel\n")
        log.writelines(f"late {n}\n" for n in range(9000))
    page.goto(f"{server.url}/jobs/1")
    yield server
    server.post("/api/v1/jobs/1/stop")
    server.wait_for(1, "cancelled")


def draw(folder, step, prompts=2):
    for prompt in range(prompts):
        picture = Image.new("RGB", (512, 512), (step * 10, prompt * 40, 90))
        picture.save(folder / f"1795444136000__{step:09}_{prompt}.png")


def test_samples_are_walked_over_by_keyboard_and_a_poll_changes_nothing(page, watched):
    page.click(".shot[data-step='20'][data-prompt='0']")
    page.wait_for_selector("dialog.viewer[open]")
    title = page.locator("#viewer-title")
    seen = [title.inner_text()]
    for key in ("ArrowLeft", "ArrowDown", "Home", "ArrowUp", "ArrowLeft", "End"):
        page.keyboard.press(key)
        seen.append(title.inner_text())
    assert [text.replace(" of 2", "") for text in seen] == [
        "Step 20 · prompt 1", "Step 10 · prompt 1", "Step 10 · prompt 2", "Step 0 · prompt 2",
        "Step 0 · prompt 1", "Step 0 · prompt 1", "Step 20 · prompt 1",
    ]  # fmt: skip
    page.keyboard.press("ArrowLeft")
    draw(watched.data / "jobs/1/output/dog/samples", 30)
    # Long before the grid would ask by itself: the status tells of it.
    page.wait_for_selector(".shot[data-step='30']", state="attached", timeout=15_000)
    until(lambda: page.get_attribute("[aria-label='Step']", "max") == "3", 5, "the scrubber grew")
    assert title.inner_text().startswith("Step 10 · prompt 1")
    page.keyboard.press("Escape")
    assert page.locator("dialog.viewer[open]").count() == 0
    # The browser gives the focus back to the opener first and tells the page of the end afterwards.
    focused = "document.activeElement.dataset.step === '10'"
    until(lambda: page.evaluate(focused), 5, "the focus is on what was looked at last")


def test_the_viewer_is_clear_to_a_screen_reader(page, watched):
    page.click(".shot[data-step='20'][data-prompt='0']")
    page.wait_for_selector("dialog.viewer[open]")
    page.keyboard.press("c")
    page.wait_for_selector("dialog.viewer .divider")
    assert vitals.axe(page, vitals.axe_source())[0] == []


def test_regions_without_news_do_not_ask(page, watched):
    entries = "performance.getEntriesByType('resource').map(one => new URL(one.name).pathname)"

    def asked():
        return [path.rsplit("/", 1)[1] for path in page.evaluate(entries)]

    until(lambda: asked().count("status") >= 4, 30, "four polls of the status")
    assert not {"outputs", "grid", "papers", "delivery"} & {*asked()}


def test_two_samples_are_held_against_each_other(page, watched):
    page.click(".shot[data-step='20'][data-prompt='1']")
    page.wait_for_selector("dialog.viewer[open]")
    page.keyboard.press("c")
    over = page.locator(".canvas .over")
    assert over.get_attribute("alt") == f"{PROMPTS[1]}, Step 0"
    page.keyboard.press("Home")
    assert over.evaluate("node => node.style.clipPath") == "inset(0px 0px 0px 0%)"
    page.select_option("[aria-label='Prompt of B']", "0")
    assert over.get_attribute("alt") == f"{PROMPTS[0]}, Step 0"
    box = page.locator(".stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 50)
    assert over.evaluate("node => node.style.clipPath") == "inset(0px 0px 0px 25%)"


def test_the_log_is_searched_jumped_into_and_followed_again(page, watched):
    page.fill("#log-tools [name=q]", "nadel")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits a")
    page.click("button:has-text('First error')")
    page.wait_for_selector("#log-part mark:has-text('ValueError: Nadel')")
    assert page.locator("#log-part .l-warning .a-yellow").inner_text() == "WARNING"
    page.click("#log-part .edge:has-text('Earlier lines')")
    until(lambda: page.locator("#log-part pre").count() == 2, 5, "earlier lines")
    page.click(".back")
    page.evaluate("document.getElementById('log').scrollTop = 200")
    with (watched.data / "jobs/1/attempts/1/log.txt").open("a") as log:
        log.write("one\ntwo\n")
    page.wait_for_selector(".log-new:has-text('new line')")
    assert page.evaluate("document.getElementById('log').scrollTop") == 200
    page.click(".log-new")
    until(lambda: page.is_hidden(".log-new"), 5, "it follows")


def test_lines_that_come_one_by_one_are_few_nodes_and_a_selection_among_them_stays(page, watched):
    with (watched.data / "jobs/1/attempts/1/log.txt").open("a") as log:
        for word in ("alpha", "beta", "gamma"):
            log.write(f"\n{word}\n")
            log.flush()
            page.wait_for_selector(f"#log:has-text('{word}')")
            if word == "alpha":
                page.evaluate("""() => {
                  const text = [...document.querySelectorAll('#log .piece')].at(-1).lastChild;
                  const at = text.data.indexOf('alpha');
                  getSelection().setBaseAndExtent(text, at, text, at + 5);
                }""")
    pieces = page.locator("#log .piece")
    until(lambda: pieces.count() == 2, 5, "what was there at first, and one more")
    told = [word for word in pieces.last.inner_text().split() if word in ("alpha", "beta", "gamma")]
    assert told == ["alpha", "beta", "gamma"]
    assert page.evaluate("getSelection().toString()") == "alpha"


def test_a_viewer_that_cannot_come_is_asked_for_rarely_and_the_picture_opens_without_it(
    browser, watched
):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked = []

    def lose(route):
        asked.append(route.request.url)
        route.abort()

    page.route("**/samples.js*", lose)
    page.clock.install()
    page.goto(f"{watched.url}/jobs/1")
    shots = page.locator("a.shot")
    shots.nth(0).wait_for()
    # It is asked for again after five seconds: on a busy machine they pass among the hovers.
    page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
    for at in (0, 1, 2, 0, 1):
        shots.nth(at).hover()
        until(lambda: page.evaluate("1") and asked, 10, "it is asked for")
    assert len(asked) == 1
    # The timer for that begins when the page has heard of the loss.
    until(lambda: page.locator("script[src*='samples.js']").count() == 0, 10, "it is known as lost")
    page.clock.fast_forward(5000)
    shots.nth(2).hover()
    until(lambda: page.evaluate("1") and len(asked) == 2, 10, "it is asked for again")
    assert page.locator("link[href*='viewer.css']").count() == 1
    shots.nth(0).click()
    until(lambda: page.url.partition("?")[0].endswith(".png"), 10, "the picture itself")
    context.close()


def test_more_prompts_than_a_phone_is_wide_scroll_beside_their_steps(page, make_server, document):
    server = make_server(STANDIN_SECONDS="0")
    prompts = [f"a zxq, {word}" for word in ("one", "two", "three", "four", "five")]
    wanted = {**document, "engine": "ai-toolkit", "sampling": {"prompts": prompts}}
    server.post("/api/v1/jobs", wanted)
    server.wait_for(1, "succeeded")
    folder = server.data / "jobs/1/output/dog/samples"
    folder.mkdir(parents=True, exist_ok=True)
    draw(folder, 1000, len(prompts))
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/jobs/1", "/jobs/1/samples"):
        page.goto(server.url + path)
        grid, step = page.locator(".shots"), page.locator("#samples-1000 th.step")
        last = page.locator(".shot[data-step='1000'][data-prompt='4']")
        grid.scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert last.bounding_box()["x"] > 390, "it takes a swipe to see the last"
        at_first = step.bounding_box()["x"]
        grid.evaluate("it => it.scrollTo({left: it.scrollWidth, behavior: 'instant'})")
        edge = grid.bounding_box()["x"] + grid.evaluate("it => it.clientWidth")
        until(
            lambda last=last, edge=edge: (
                (box := last.bounding_box())["x"] + box["width"] < edge - 20
            ),
            5,
            "the last is whole, clear of the faded edge",
        )
        assert abs(step.bounding_box()["x"] - at_first) <= 5, "the steps stay beside them"

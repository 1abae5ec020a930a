"""The New job form in a browser: drawn anew for another engine without losing what was done."""

from __future__ import annotations

import pytest

from tests.support import vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e


def open_form(page, make_server):
    """A new job in a page whose scripts have started."""
    page.goto(f"{make_server().url}/jobs/new?name=dog")
    page.wait_for_selector("html[data-started]")


def drawn_for(page, engine):
    """Wait until the fields are those of that engine."""
    lacks = {"kohya_ss": "ema.decay", "ai-toolkit": "buckets.step"}[engine]
    until(lambda: page.is_disabled(f"[name='{lacks}']"), 10, f"fields of {engine}")


def test_another_engine_keeps_focus_values_and_opened_groups_and_a_value_it_cannot_take(
    page, make_server
):
    server = make_server()
    page.goto(f"{server.url}/jobs/new?family=sd15")
    page.fill("#name", "dog")
    page.click("#section-network > summary")
    page.fill("[name='network.rank']", "7")
    page.click("#section-ema > summary")
    page.select_option("[name='ema.enabled']", "true")
    page.focus("#engine")
    page.select_option("#engine", "kohya_ss")
    drawn_for(page, "kohya_ss")
    assert page.evaluate("document.activeElement.id") == "engine"
    assert page.input_value("[name='network.rank']") == "7"
    assert page.evaluate("document.getElementById('section-network').open")
    assert "has no EMA" in page.inner_text("#ema\\.enabled-error")
    page.focus("button.leave")
    page.keyboard.press("Enter")
    until(lambda: page.is_disabled("[name='ema.enabled']"), 10, "the value is left out")
    assert page.input_value("[name='ema.enabled']") == ""
    focused = "document.activeElement.tagName === 'SUMMARY'"
    until(lambda: page.evaluate(focused), 10, "the focus is on the group that was changed")
    page.select_option("#engine", "ai-toolkit")
    drawn_for(page, "ai-toolkit")
    assert page.input_value("[name='network.rank']") == "7"


def test_a_field_is_explained_where_the_focus_is_or_everywhere_if_wanted(page, make_server):
    open_form(page, make_server)
    page.click("#section-network > summary")
    rank, alpha = (page.locator(f"[id='network.{name}-help']") for name in ("rank", "alpha"))
    assert not rank.is_visible()
    page.focus("[id='network.rank']")
    rank.wait_for(state="visible")
    assert "network.rank-help" in page.get_attribute("[id='network.rank']", "aria-describedby")
    page.keyboard.press("Escape")
    rank.wait_for(state="hidden")
    page.focus("[id='network.alpha']")
    alpha.wait_for(state="visible")
    page.check("#explain")
    rank.wait_for(state="visible")
    page.select_option("#engine", "kohya_ss")
    drawn_for(page, "kohya_ss")
    assert rank.is_visible()
    page.reload()
    page.wait_for_selector("html[data-started]")
    until(lambda: page.is_checked("#explain"), 10, "it is remembered")


def found(page):
    """What the opened list offers."""
    return page.locator("#finder [role='option']").all_inner_texts()


def is_open(page):
    return page.evaluate("!!document.querySelector('#finder:popover-open')")


def test_a_family_is_found_by_typing_and_the_plain_select_is_what_is_sent(page, make_server):
    open_form(page, make_server)
    page.focus("#family")
    page.keyboard.type("tongyi turbo")
    until(lambda: is_open(page) and len(found(page)) == 1, 10, "one family is left")
    assert found(page)[0].startswith("Z-Image Turbo")
    assert vitals.axe(page, vitals.axe_source())[0] == []
    page.keyboard.press("Enter")
    until(
        lambda: page.get_attribute("#base_model", "placeholder") == "Tongyi-MAI/Z-Image-Turbo",
        10,
        "its fields",
    )
    assert (page.input_value("#family"), is_open(page)) == ("zimage:turbo", False)
    until(lambda: page.evaluate("document.activeElement.id") == "family", 10, "the focus is back")
    page.keyboard.press("ArrowDown")
    until(lambda: is_open(page), 10, "it opens again")
    page.keyboard.type("no such thing")
    until(lambda: found(page) == [], 10, "nothing is left")
    assert "A finetune trains as the model" in page.inner_text("#finder .none")
    page.keyboard.press("Escape")
    until(lambda: not is_open(page), 10, "it is closed")
    assert page.evaluate("document.activeElement.id") == "family"
    assert page.input_value("#family") == "zimage:turbo"


@pytest.mark.parametrize("finger", [False, True])
def test_the_list_of_families_opens_closes_and_is_chosen_from(browser, make_server, finger):
    size = {"width": 390 if finger else 1280, "height": 844}
    with browser.new_context(has_touch=finger, is_mobile=finger, viewport=size) as context:
        page = context.new_page()
        press = page.tap if finger else page.click
        open_form(page, make_server)
        press("#family")
        until(lambda: is_open(page), 10, "it is open")
        # On a phone the list covers the field.
        press("#finder button:has-text('Close')" if finger else "#family")
        until(lambda: not is_open(page), 10, "it is closed")
        press("#family")
        press("#finder [role='option']:has-text('SD 1.5')")
        until(lambda: page.input_value("#family") == "sd15", 10, "it is chosen")


def test_a_native_line_leads_to_its_field_inside_a_closed_group(page, make_server):
    server = make_server()
    page.goto(f"{server.url}/jobs/new?family=sd15&engine=kohya_ss&name=dog")
    page.locator("#job-preview a[href='#optimizer.learning_rate']").focus()
    page.keyboard.press("Enter")
    focused = "document.activeElement.id === 'optimizer.learning_rate'"
    until(lambda: page.evaluate(focused), 10, "the focus is on the field")
    until(lambda: page.locator("#job-preview .lit").count() > 0, 10, "its lines are lit")


def test_an_engine_chosen_while_the_familys_fields_are_on_their_way_stays_chosen(page, make_server):
    server = make_server()
    page.goto(f"{server.url}/jobs/new")
    late = []
    page.route(
        "**/jobs/fields", lambda route: late.append(route) if not late else route.continue_()
    )
    page.select_option("#family", "sd15")
    until(lambda: page.evaluate("1") and late, 10, "the family's fields are asked for")
    page.select_option("#engine", "kohya_ss")
    drawn_for(page, "kohya_ss")
    # The browser gave the first question up; where it did not, its answer comes now.
    late[0].continue_()
    page.wait_for_selector("#job-preview h2:has-text('kohya_ss')")
    assert page.input_value("#engine") == "kohya_ss"
    assert page.input_value("#family") == "sd15"


def test_no_name_of_an_advanced_field_takes_two_lines(page, make_server):
    open_form(page, make_server)
    page.evaluate(
        "document.querySelectorAll('#job-fields details').forEach((d) => { d.open = true; })"
    )
    tall = """() => [...document.querySelectorAll("#job-fields details .field > label")]
      .filter((label) => label.clientHeight > 1.6 * parseFloat(getComputedStyle(label).lineHeight))
      .map((label) => label.textContent)"""
    for width in (740, 1100, 1200, 1280, 1440, 1700, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        until(lambda: page.evaluate(tall) == [], 5, f"one line each at {width} px")


def test_a_printed_form_holds_what_was_filled_in_and_no_buttons(page, make_server):
    open_form(page, make_server)
    page.emulate_media(media="print")
    assert page.is_visible("#name")
    assert page.is_visible("#job-preview")
    assert not page.is_visible("#job-form button:has-text('Start')")


def test_twice_the_size_of_letters_leaves_room_for_the_form_beside_its_preview(page, make_server):
    open_form(page, make_server)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    until(lambda: page.locator("#name").bounding_box()["width"] > 250, 5, "a name can be typed")

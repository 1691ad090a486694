"""Rules that were tried on the page of what-if are put in force: these, and no others."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Dialog, Locator, Page, expect

from shared import rule_sets
from shared.models import Kind
from shared.rule_sets import Versioned
from tests.browser.conftest import Visit
from tests.support.browser_world import Site


def agrees(page: Page) -> list[str]:
    """Somebody who says yes to whatever is asked; what that was."""
    asked: list[str] = []

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", agree)
    return asked


def button(page: Page) -> Locator:
    return page.get_by_role("button", name="Put these rules in force")


def releases(page: Page) -> Locator:
    """What a release is worth, as it is tried."""
    return page.locator("[name='points.RELEASE']")


def sent(page: Page) -> str:
    """The rules that the form of who signed in would send."""
    return page.locator("#publish-form [name=rules]").input_value()


def in_force(site: Site) -> Versioned:
    return rule_sets.current(site.services)


def test_what_was_tried_is_put_in_force_with_a_key_and_the_page_goes_on_from_there(
    visit: Visit, own: Site
) -> None:
    reader = visit(own.url)
    page = reader.page
    asked = agrees(page)
    reader.go("/what-if")
    before = in_force(own).version
    expect(button(page)).to_be_disabled()
    releases(page).fill("31")
    button(page).click()
    expect(page.locator("#published")).to_contain_text("key")
    assert all("status of 401" in said for said in reader.complaints)
    reader.complaints.clear()
    # As people do it: the field is left by pressing the button.
    page.get_by_label("API key").press_sequentially(own.key)
    button(page).click()
    expect(page.get_by_role("status").filter(has_text="The rules are in force")).to_be_visible()
    assert len(asked) == 2
    assert in_force(own).version == before + 1
    assert in_force(own).rules.points[Kind.RELEASE] == 31
    expect(page.get_by_text(f"Version {before + 1} is in force")).to_be_visible()
    expect(page.locator(".slider", has=releases(page))).to_contain_text("now 31")
    expect(button(page)).to_be_disabled()
    # A second change begins from what is in force now, and is no conflict.
    releases(page).fill("32")
    page.get_by_label("API key").press_sequentially(own.key)
    expect(button(page)).to_be_enabled()
    expect(page).to_have_url(re.compile(r"points\.RELEASE=32$"))
    button(page).click()
    page.wait_for_url("**/what-if?done=rules")
    assert in_force(own).version == before + 2
    assert own.key not in page.content()


def test_who_is_signed_in_puts_in_force_what_the_sliders_show(visit: Visit, own: Site) -> None:
    reader = visit(own.url, own.key)
    page = reader.page
    agrees(page)
    reader.go("/what-if?points.RELEASE=29")
    assert json.loads(sent(page))["points"]["RELEASE"] == "29"
    expect(button(page)).to_be_enabled()
    releases(page).fill("-3")
    expect(button(page)).to_be_disabled()
    assert sent(page) == ""
    expect(page.get_by_role("alert")).to_be_visible()
    assert all("status of 4" in said for said in reader.complaints)
    reader.complaints.clear()
    expect(button(page)).to_be_disabled()
    assert sent(page) == ""
    releases(page).fill("31")
    expect(button(page)).to_be_enabled()
    button(page).click()
    page.wait_for_url("**/settings?done=rules")
    expect(page.get_by_role("row", name=re.compile("Releases"))).to_contain_text("31")


NOON = datetime(2025, 3, 20, 12, tzinfo=UTC)

HOLDS_THE_FIRST = """
  const asks = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await asks(...asked);
    const holds = asked[0].endsWith("/preview") && !window.letGo;
    if (holds) await new Promise((go) => { window.letGo = go; });
    return answer;
  };
"""


def test_a_late_answer_about_an_older_value_does_not_make_it_fit_to_publish(
    visit: Visit, own: Site
) -> None:
    reader = visit(own.url, own.key)
    page = reader.page
    page.add_init_script(HOLDS_THE_FIRST)
    page.clock.install(time=NOON)
    reader.go("/what-if")
    # From here on time stands still, but where the test has it go on.
    page.clock.pause_at(NOON + timedelta(hours=1))
    releases(page).fill("31")
    page.clock.run_for(300)
    page.wait_for_function("() => !!window.letGo")
    releases(page).fill("32")
    # Whatever follows from the first answer has happened before another one is here.
    page.evaluate("letGo(); fetch('/health/live').then((answer) => answer.text())")
    expect(button(page)).to_be_disabled()
    assert sent(page) == ""
    page.clock.run_for(300)
    expect(button(page)).to_be_enabled()
    assert json.loads(sent(page))["points"]["RELEASE"] == 32

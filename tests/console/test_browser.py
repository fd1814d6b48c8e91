"""In a real browser, on the whole system: find the thief, read why, lift, and the gateway answers it again."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from consumers.store import keys
from consumers.store.engine import connect
from consumers.store.people import Said
from gamekeeper.demo import data, people, traffic
from tests.consumers.road import until
from tests.gamekeeper.test_up import Up, ask, start

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

WIDTHS = {"phone": 390, "desktop": 1280}
PAGES = (
    "overview",
    "clients",
    "episodes",
    "decisions",
    "audit",
    "health",
    "client?client=client-1",
    "lift?value=client-1",
)
SOON = 30_000.0  # ms, on a busy machine
THIEF = "client-1"


@dataclass
class World:
    """The whole system, a browser, and somebody's key."""

    up: Up
    browser: Browser
    secret: str

    @property
    def url(self) -> str:
        """Where the console is."""
        return str(self.up.endpoints["api"])

    def blocked(self) -> bool:
        """Tell whether the gateway refuses the thief."""
        return ask(self.up, 1) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[World]:
    """Return the system after an honest client and a thief have asked it."""
    up = start(tmp_path_factory.mktemp("console") / "data")
    engine = connect(up.endpoints["database"])
    holder = keys.Holder("ann", roles=("respond",))
    try:
        yield World(up, browser, keys.add_api_key(engine, holder, Said("ann", "a test")).secret)
    finally:
        engine.dispose()
        up.stop()


def steal(up: Up) -> None:
    """Ask as a thief does that walks along the border between two classes, until the gateway refuses."""
    key, other, _ = up.endpoints["client_keys"].values()
    url = f"{up.endpoints['gateway']}/v1/models/{up.endpoints['model']}:predict"
    comers = people.run(data.load(), lambda names: dict.fromkeys(names, key), 60.0)
    thief = next(one for one in comers if one.kind.name == "bisection")
    honest = next(one for one in comers if one.kind.name == "usual")
    thief.start = honest.start = 0.0
    honest.key, honest.pause = other, 0.05
    with ThreadPoolExecutor(1) as apart:  # the browser's driver has a loop running in this thread
        apart.submit(asyncio.run, traffic.run([thief, honest], url, 60.0, lambda: None)).result()
    assert thief.blocked
    assert not honest.blocked


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """Return a page of a new visitor, at which nothing goes wrong: no error, nothing that the policy forbids."""
    context = world.browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(SOON)
    made = context.new_page()
    wrong: list[str] = []
    made.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    yield made
    context.close()
    assert wrong == []


def log_in(page: Page, world: World) -> None:
    """Come in by the door."""
    page.goto(world.url)
    page.get_by_label("Your API key").fill(world.secret)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_find_the_thief_read_why_and_lift(page: Page, world: World) -> None:
    """The overview shows the thief by itself, its page says why, and after the lift the gateway answers it."""
    log_in(page, world)
    steal(world.up)
    suspects = page.get_by_role("region", name="Suspects now")
    expect(suspects).to_contain_text("confirmed", timeout=SOON)  # nobody loads the page again
    expect(page.locator("#said")).to_contain_text("1 confirmed")
    suspects.get_by_role("link", name=THIEF).click()
    expect(page.get_by_role("heading", name=THIEF)).to_be_visible()
    expect(page.get_by_role("region", name="In force now")).to_contain_text("block")
    expect(page.locator("#report")).to_contain_text("confirmed")
    expect(page.locator("#report svg").first).to_be_visible()
    assert world.blocked()
    page.get_by_text("Lift", exact=True).first.click()
    page.locator("#lift-why").fill("our own test")
    page.get_by_role("button", name="Lift").click()
    expect(page.get_by_text("Lifted. Gateways hear of it")).to_be_visible()
    expect(page.locator("#force")).to_contain_text("Nothing")
    until(lambda: not world.blocked())
    page.get_by_role("link", name="People's acts").click()
    expect(page.get_by_role("region", name="What people did")).to_contain_text("our own test")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits(page: Page, world: World, width: str, scheme: str, tmp_path: Path) -> None:
    """Nothing makes a page wider than the screen, and the pictures of all are there to look at."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    page.goto(world.url)
    fits(page)
    log_in(page, world)
    for name in PAGES:
        page.goto(f"{world.url}/console/{name}")
        fits(page)
        page.screenshot(path=tmp_path / f"{name.partition('?')[0]}-{width}-{scheme}.png", full_page=True)


def fits(page: Page) -> None:
    """Check that a page need not be scrolled sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_keyboard_keeps_its_place(page: Page, world: World) -> None:
    """What is focused in a part that changes is focused after it has changed; what is typed stays."""
    log_in(page, world)
    page.goto(f"{world.url}/console/health")
    region = page.get_by_role("region", name="Partitions")
    region.focus()
    before = page.locator("#now").text_content()
    expect(page.locator("#now")).not_to_have_text(before or "", timeout=SOON)
    expect(region).to_be_focused()


def test_a_session_that_is_over_leads_to_the_door(page: Page, world: World) -> None:
    """By itself, without a click."""
    log_in(page, world)
    page.context.clear_cookies()
    expect(page.get_by_label("Your API key")).to_be_visible(timeout=SOON)

"""The readers' pages in Chromium: accessible, silent, of this host alone, and wide enough."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.publishing.articles import BODY, make_article, make_lane

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("chromium")]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
MORE = """
| Size | Name |
|---|---:|
| 12 | Pica |

```
select a_line_that_is_far_too_long_for_a_telephone from sorts where body = 12 and face = 'roman';
```

::source[s1]

1. `code`, **strong** and [a link](https://example.org/1)
"""

# Text below AA, as [text, ratio]. axe 4.4 knows no oklch and leaves contrast out; the canvas
# turns any colour into the bytes that are drawn.
LOW_CONTRAST = """() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const drawn = colours => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const grounds = element => {
    const under = [];
    for (let each = element; each; each = each.parentElement)
      under.unshift(getComputedStyle(each).backgroundColor);
    return under;
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility()) continue;
    const ground = grounds(element), style = getComputedStyle(element);
    const pair = [drawn(ground), drawn([...ground, style.color])].map(luminance);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) low.push([text, ratio]);
  }
  return low;
}"""

FINE = {"violations": [], "low contrast": [], "overflow": 0}


@pytest.fixture
def paths() -> dict[str, int]:
    """Articles in eight lanes, and every kind of page with the status that it answers."""
    hues = {"news": 25, "dev": 250, "build": 70, "design": 340}
    hues |= {"marketing": 295, "founders": 115, "business": 160, "research": 205}
    lanes = [
        make_lane(name, hue=hue, place=place) for place, (name, hue) in enumerate(hues.items())
    ]
    made = [
        make_article(f"From {lane.title}", lane=lane, body=BODY + MORE, indexed=True)
        for lane in lanes
    ]
    make_lane("empty", hue=0, place=9)
    gone = make_article("Withdrawn", status="withdrawn")
    return {
        "/": 200,
        "/lanes/research/": 200,
        "/lanes/empty/": 200,
        made[-1].get_absolute_url(): 200,
        "/search/": 200,
        "/search/?q=paragraph": 200,
        "/search/?q=zzqxv": 200,
        "/nowhere/": 404,
        gone.get_absolute_url(): 410,
    }


def test_pages_are_accessible_silent_and_of_this_host_alone(
    live_server: Any, paths: dict[str, int], chromium_path: str
) -> None:
    with _browser(chromium_path) as browser:
        for path, status in paths.items():
            assert _load(browser, live_server.url, path) == {
                "status": status,
                "messages": [],
                "foreign": [],
            } | dict.fromkeys(LOOKS, FINE), path


def test_an_article_is_read_without_javascript_and_its_citation_leads_to_the_source(
    live_server: Any, paths: dict[str, int], chromium_path: str
) -> None:
    path = list(paths)[3]
    with _browser(chromium_path) as browser:
        page = browser.new_page(java_script_enabled=False, viewport={"width": 390, "height": 800})
        page.goto(live_server.url + path)
        page.get_by_role("link", name="Source 1", exact=True).first.click()
        assert page.url.endswith("#source-s1")
        assert page.locator("#source-s1:target").count() == 1
        page.close()


def test_sources_stand_beside_the_text_on_a_desktop_and_under_it_on_a_telephone(
    live_server: Any, paths: dict[str, int], chromium_path: str
) -> None:
    with _browser(chromium_path) as browser:
        places = {}
        for width in (390, 1280):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.goto(live_server.url + list(paths)[3])
            text, sources = (page.locator(each).bounding_box() for each in (".text", ".sources"))
            assert text
            assert sources
            places[width] = (sources["x"] > text["x"], sources["y"] > text["y"] + text["height"])
            page.close()
    assert places == {390: (False, True), 1280: (True, False)}


@contextmanager
def _browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


def _load(browser: Browser, host: str, path: str) -> dict[Any, Any]:
    """Load a page once and look at it in every look."""
    page = browser.new_page()
    messages: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(host) else foreign.append(r.url))
    answer = page.goto(host + path)
    assert answer
    looks = {(width, scheme): _look(page, width, scheme) for width, scheme in LOOKS}
    page.wait_for_load_state("networkidle")
    page.close()
    return {
        "status": answer.status,
        # Chromium itself reports the page's own 404 or 410; nothing else may be said.
        "messages": [text for text in messages if f"status of {answer.status}" not in text],
        "foreign": foreign,
    } | looks


def _look(page: Page, width: int, scheme: Any) -> dict[str, Any]:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    return {
        "violations": _violations(page),
        "low contrast": page.evaluate(LOW_CONTRAST),
        "overflow": page.evaluate("document.documentElement.scrollWidth - innerWidth"),
    }


def _violations(page: Page) -> list[str]:
    found = Axe().run(page)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]

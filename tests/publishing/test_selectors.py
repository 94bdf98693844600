"""Whom a page's own rules mean."""

import pytest
from lxml import html

from publishing.fetching.selectors import Matcher, UnreadSelectorError, read_selector

TREE = html.document_fromstring(
    "<body class=js><div class='w y' id=top data-h='One two'><p class=a>a</p><p class=b>b</p>"
    "<ul><li><p class=c lang=en-GB>c</p></li></ul></div><p class=d>d</p></body>"
)


def _meant(selector: str) -> str:
    read, matcher = read_selector(selector), Matcher()
    assert read is not None
    return "".join(p.text for p in TREE.iter("p") if matcher.fits(p, read))


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("p", "abcd"),
        ("*", "abcd"),
        ("div p", "abc"),
        ("div.w > p", "ab"),
        ("div.w>p.a", "a"),
        ("#top.y .c", "c"),
        ("body.js div > ul p", "c"),
        (".a + p", "b"),
        (".a~p", "b"),
        ("div ~ p", "d"),
        ("[data-h] p.a", "a"),
        ("[data-h~=two] > .b", "b"),
        ("p[lang|='en']", "c"),
        ('p[class^="d"]', "d"),
        ("p[class=c i]", "c"),
        ("[data-h*='e t'] .a", "a"),
        ("[data-h$=two] > .a", "a"),
        ("div[data-h=One] p", ""),
        (r".\61", "a"),
        ("ul > p", ""),
    ],
)
def test_selectors_mean_what_browsers_say(selector: str, meant: str) -> None:
    assert _meant(selector) == meant


@pytest.mark.parametrize(
    "selector", ["p:has(a)", "p:not(.x)", "li:nth-child(2)", "", "p >", "a||b"]
)
def test_what_is_not_understood_is_said(selector: str) -> None:
    with pytest.raises(UnreadSelectorError):
        read_selector(selector)


@pytest.mark.parametrize("selector", ["a:hover", "p::before", "input:-moz-x"])
def test_states_and_pseudo_elements_mean_nobody(selector: str) -> None:
    assert read_selector(selector) is None


def test_a_page_has_only_so_many_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publishing.fetching.selectors.MOST_COMPARISONS", 3)
    read, matcher = read_selector("p"), Matcher()
    assert read is not None
    assert sum(matcher.fits(p, read) for p in TREE.iter("p")) == 3
    assert matcher.is_spent

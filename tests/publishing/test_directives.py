"""Directives: what is one, what is wrong with one, and what readers get."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing.directives import (
    DirectiveError,
    plain_text,
    read,
    render_body,
    sections,
)


@dataclass(frozen=True)
class Source:
    key: str
    title: str
    site: str
    url: str


SOURCES = [
    Source("s1", "Scrambled & ordered", "example.org", "https://example.org/a"),
    Source("s2", "", "example.net", "https://example.net/b"),
]
CITE_ONE = (
    '<sup class="cite"><a href="#source-s1" title="Scrambled &amp; ordered" '
    'aria-label="Source 1">1</a></sup>'
)


def errors(body: str) -> list[tuple[int, int, str]]:
    return [(error.line, error.column, error.name) for error in read(body).errors]


def test_a_citation_is_a_numbered_link_to_the_source_list() -> None:
    assert render_body("So it is:cite[s1].", sources=SOURCES) == f"<p>So it is{CITE_ONE}.</p>\n"


def test_numbers_follow_the_source_list_and_not_the_order_of_citing() -> None:
    html = render_body(":cite[s2, s1]", sources=SOURCES)
    assert re.findall(r">(\d)</a>", html) == ["2", "1"]


def test_a_term_shows_its_meaning_and_reads_its_words_as_markdown() -> None:
    html = render_body(':term[a *stay*]{means="an &quot;order&quot;"}', sources=SOURCES)
    assert html == '<p><dfn title="an &quot;order&quot;">a <em>stay</em></dfn></p>\n'


def test_a_source_card_names_the_source_and_links_to_the_list() -> None:
    assert render_body("::source[s1]", sources=SOURCES) == (
        '<div class="source"><p><a href="#source-s1"><cite>Scrambled &amp; ordered</cite></a> '
        '<span class="site">example.org</span></p></div>\n'
    )


def test_a_note_holds_markdown_under_its_title() -> None:
    html = render_body(":::note[To *try*]\n- a:cite[s1]\n:::\n", sources=SOURCES)
    assert html == (
        '<aside class="note" role="note">\n<p class="note-title">To <em>try</em></p>\n'
        f"<ul>\n<li>a{CITE_ONE}</li>\n</ul>\n</aside>\n"
    )


def test_a_note_needs_no_title() -> None:
    html = render_body(":::note\na\n:::", sources=SOURCES)
    assert html == '<aside class="note" role="note">\n<p>a</p>\n</aside>\n'


def test_a_quote_is_attributed_to_its_source() -> None:
    assert render_body(':::quote{source="s2"}\nWords.\n:::', sources=SOURCES) == (
        '<figure class="quote"><blockquote>\n<p>Words.</p>\n</blockquote><figcaption>'
        '<a href="#source-s2"><cite>example.net</cite></a></figcaption></figure>\n'
    )


def test_longer_fences_hold_containers() -> None:
    html = render_body("::::note\n:::quote{source=s1}\na\n:::\n::::", sources=SOURCES)
    assert html.index("<aside") < html.index("<figure") < html.index("</figure>")
    assert html.index("</figure>") < html.index("</aside>")


def test_a_fence_within_code_does_not_close_its_container() -> None:
    html = render_body(":::note\n```\n:::\n```\nb\n:::", sources=SOURCES)
    assert html == (
        '<aside class="note" role="note">\n<pre tabindex="0"><code>:::\n</code></pre>\n'
        "<p>b</p>\n</aside>\n"
    )


@pytest.mark.parametrize(
    "prose",
    [
        "at 10:30 [sic]",
        "note: this",
        "see http://x.example/a:b and more",
        "`:cite[s1` and `::x[y]`",
        "```\n:::note\n::source[x]\n:cit[\n```",
        "    :::note",
        "std::vector[0] and a:b{c} and 3:4[5]",
        "std::string",
        "\\:word[x]",
        ":smile: :-[ ::",
        "| a |\n|:-:|\n| b |",
    ],
)
def test_a_colon_in_prose_or_code_is_no_directive(prose: str) -> None:
    reading = read(prose)
    assert (reading.errors, reading.calls()) == ([], [])


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ("a\nb :cit[s1]", [(2, 3, "cit")]),
        ("::foo[x]", [(1, 1, "foo")]),
        ("a\n\n> :::warning\n> b\n> :::", [(3, 3, "warning")]),
        ("::: note\nx\n:::", [(1, 1, "")]),
        (":cite[]", [(1, 1, "cite")]),
        (":cite[s1", [(1, 1, "cite")]),
        (":cite[S1]", [(1, 1, "cite")]),
        (":cite[s1]{x=y}", [(1, 1, "cite")]),
        (":cite{x=y}", [(1, 1, "cite")]),
        (":term[x]", [(1, 1, "term")]),
        (":term[x]{means=}", [(1, 1, "term")]),
        (':term[x]{means=" "}', [(1, 1, "term")]),
        (":term[x]{means=a means=b}", [(1, 1, "term")]),
        (":term[x]{means=a .b}", [(1, 1, "term")]),
        (":term[x]{means=a other=b}", [(1, 1, "term")]),
        (":term[x :term[y]{means=a}]{means=b}", [(1, 9, "term")]),
        ("[a :cite[s1]](#b)", [(1, 4, "cite")]),
        ("a ::source[s1]", [(1, 3, "source")]),
        ("::source[s1] a", [(1, 1, "source")]),
        ("::source", [(1, 1, "source")]),
        ("::source[s1,s2]", [(1, 1, "source")]),
        (":note[a]", [(1, 1, "note")]),
        ("a\n\n:::note\nb", [(3, 1, "note")]),
        (":::note\n\n:::", [(1, 1, "note")]),
        (":::note[]\na\n:::", [(1, 1, "note")]),
        (":::quote\na\n:::", [(1, 1, "quote")]),
        (":::quote[a]{source=s1}\na\n:::", [(1, 1, "quote")]),
        (":::quote{source=S-1}\na\n:::", [(1, 1, "quote")]),
        (":::note\n:::quote{source=s1}\na\n:::\n:::", [(1, 1, "note")]),
        ("a\n:::", [(2, 1, "")]),
        ("- :::note\n  a\n- b", [(1, 3, "note")]),
    ],
)
def test_each_wrong_directive_is_an_error_with_its_place(
    body: str, places: list[tuple[int, int, str]]
) -> None:
    assert errors(body) == places


def test_an_error_says_what_is_wrong_and_what_is_allowed() -> None:
    with pytest.raises(DirectiveError) as caught:
        render_body("a :cit[s1]", sources=SOURCES)
    assert str(caught.value) == (
        "line 1, column 3: there is no directive 'cit'; there are :cite[s1] or :cite[s1,s2], "
        ':term[words]{means="their meaning"}, ::source[s1], :::note[Title] … :::, '
        ':::quote{source="s1"} … :::; write \\: for a colon that is only a colon'
    )


def test_all_errors_of_a_body_are_read_at_once() -> None:
    assert errors(":a[x]\n\n:b[x] :c[x]\n\n:::") == [
        (5, 1, ""),
        (1, 1, "a"),
        (3, 1, "b"),
        (3, 7, "c"),
    ]


def test_a_source_that_the_article_does_not_have_cannot_be_shown() -> None:
    with pytest.raises(DirectiveError, match="line 3, column 2: cite names s9, which is no source"):
        render_body("a\n\nb:cite[s9]", sources=SOURCES)


def test_headings_begin_at_h2_and_no_two_ids_are_alike() -> None:
    html = render_body("# A b\n## A b\n## A b 2\n## !\n[x](#a-b-2)", sources=SOURCES)
    assert re.findall(r'<(h\d) id="([^"]*)"', html) == [
        ("h2", "section-a-b"),
        ("h2", "section-a-b-2"),
        ("h2", "section-a-b-2-2"),
        ("h2", "section-part"),
    ]
    assert '<a href="#section-a-b-2">x</a>' in html


def test_links_out_of_the_site_say_so_and_other_addresses_are_dropped() -> None:
    html = render_body("[a](https://x.example/) [b](/c) [d](ftp://e) [f](#g)", sources=SOURCES)
    assert html == (
        '<p><a href="https://x.example/" rel="noopener nofollow external">a</a> '
        '<a rel="noopener nofollow external">b</a> <a rel="noopener nofollow external">d</a> '
        '<a href="#g">f</a></p>\n'
    )


def test_html_is_shown_and_not_obeyed() -> None:
    html = render_body("<script>x</script> a <b onclick=y>", sources=SOURCES)
    assert html == "<p>&lt;script&gt;x&lt;/script&gt; a &lt;b onclick=y&gt;</p>\n"


def test_tables_are_aligned_by_class_and_can_be_scrolled_by_keyboard() -> None:
    html = render_body("| a |\n|--:|\n| b |", sources=SOURCES)
    assert html.startswith('<div class="table" role="group" aria-label="Table" tabindex="0">')
    assert '<td class="align-right">b</td>' in html
    assert "style" not in html


def test_plain_text_has_the_words_that_readers_read() -> None:
    body = (
        "## A *b*\n\nc:cite[s1] [d](https://e.example)\nf\n\n::source[s1]\n\n:::note[g]\n"
        ':term[h]{means="i"}\n:::\n\n```\nj\n```\n\n| k |\n|---|\n| l |'
    )
    assert plain_text(body) == "A b\n\nc d f\n\ng\n\nh\n\nj\n\nk\n\nl"


def test_sections_are_parted_by_headings() -> None:
    assert sections("a\n\n## B\n\nc\n\n:::note[d]\ne\n:::\n\n### F\n\n## G\nh") == [
        ("", "a"),
        ("B", "c\n\nd\n\ne"),
        ("G", "h"),
    ]


VOID = {"br", "hr"}


class Checker(HTMLParser):
    """Refuses what a policy or a validator would: bad nesting, doubled ids, scripts, styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "style", "iframe", "object", "img", "form", "svg", "base"}
        assert not (tag == "a" and "a" in self.open)
        assert not (tag == "dfn" and "dfn" in self.open)
        assert not ("p" in self.open and tag in {"p", "div", "aside", "figure", "ul", "h2"})
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name == "href":
                assert re.match(r"https?:|#", value or "", re.IGNORECASE)
            if name == "id":
                assert value not in self.ids
                self.ids.add(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PIECES = [
    *(":cite[s1]", ":cite[s2,s1]", ":cite[", ":term[", "]{means=", '"x"}', "::source[s1]", "\n"),
    *("\n\n", ":::note[T]\n", ":::quote{source=s1}\n", ":::\n", "::::note\n", "::::\n", "> ", "- "),
    *("1. ", "```\n", "`", "~~~", "# ", "## ", "===\n", "| a | b |\n|:--|--:|\n", "|", "*", "**"),
    *(
        "[x](javascript:alert(1))",
        "[x](https://y.example)",
        "![x](data:image/png;base64,a)",
        "](",
        "[",
    ),
    *("<script>alert(1)</script>", "<img src=x onerror=y>", "<https://x.example>", "<a@b.example>"),
    *(
        "[r]: javascript:x\n",
        "[r]",
        "&#x6A;avascript:",
        "&#0;",
        "\x00",
        "\ud800",
        "\r\n",
        "\t",
        "    ",
    ),
    *(
        "[x](https://[)",
        "[x](//\\evil)",
        "\\",
        ":",
        '"',
        "'",
        "}",
        "word",
        "<style>",
        "\u202e",
        "é",
    ),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=40).map("".join))
@settings(max_examples=600, deadline=None)
def test_whatever_is_written_is_shown_harmlessly_or_is_a_directive_error(body: str) -> None:
    try:
        html = render_body(body, sources=SOURCES)
        plain_text(body)
        sections(body)
    except DirectiveError:
        return
    html.encode()
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []

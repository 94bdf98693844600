"""The offline author: its sources' own sentences, cited, whatever the sources are."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import publishing.demo
from publishing.directives import plain_text, read
from publishing.fetching.pages import read_page
from publishing.payloads import Brief, Draft, FetchedSource, Grounded
from publishing.stages.clean import CleanOptions, clean
from publishing.stages.generate import GenerateOptions, generate
from publishing.writing.extracts import escape, split_sentences
from publishing.writing.offline_author import compose
from tests.publishing.writing import BUNDLE, RULE, brief, context, source

pytestmark = pytest.mark.django_db  # a regeneration is looked for, also offline

DEMO = Path(publishing.demo.__file__).parent


def check(brief: Brief, sources: Sequence[FetchedSource]) -> tuple[str, list[str]]:
    """Compose, pass the clean stage, and return the body with the stage's findings."""
    grounded = Grounded(sources=list(sources))
    draft: Draft = generate(brief, grounded, BUNDLE, GenerateOptions(), context())
    assert draft.written_by.model_dump() == {
        "author": "offline",
        "model": "",
        "bundle": 3,
        "cost_micros": 0,
    }
    cleaned = clean(draft, grounded, brief, CleanOptions())
    assert cleaned.repairs == []
    return cleaned.body, cleaned.findings


def demo_brief(path: Path) -> tuple[Brief, list[FetchedSource]]:
    found = Brief.model_validate_json(path.read_text())
    sources = []
    for number, cited in enumerate(found.sources, 1):
        page_path = DEMO / "sources" / cited.url.removeprefix("{sources}/")
        url = f"https://pages.example/{page_path.name}"
        page = read_page(page_path.read_bytes(), content_type="text/html", charset="utf-8", url=url)
        sources.append(source(f"s{number}", page.text, title=page.title, final_url=url, url=url))
    return found, sources


@pytest.mark.parametrize("path", sorted((DEMO / "briefs").glob("*.json")), ids=lambda p: p.stem)
def test_the_demos_articles_are_whole_cited_and_in_length(path: Path) -> None:
    found, sources = demo_brief(path)
    body, findings = check(found, sources)
    assert findings == []
    assert 450 <= len(plain_text(body).split()) <= 900
    names = [call.name for call in read(body).calls()]
    assert names.count("quote") == 1
    assert names.count("note") == 1
    composed = compose(found, Grounded(sources=sources))
    for citation, fetched in zip(composed.citations, sources, strict=True):
        assert citation.source == fetched.id
        assert citation.quote
        assert citation.quote in fetched.text


def test_the_offline_author_states_only_what_the_sources_and_points_say() -> None:
    found, sources = demo_brief(DEMO / "briefs" / "news.json")
    material = " ".join(
        [*(s.text for s in sources), *(s.title for s in sources), *found.points, "In short"]
    )
    known = " ".join(material.replace("## ", "").split())
    for line in plain_text(compose(found, Grounded(sources=sources)).body).splitlines():
        for sentence in split_sentences(" ".join(line.split())):
            assert sentence in known


def test_no_phrase_of_nine_words_stands_in_two_of_the_demos_articles() -> None:
    seen: dict[str, str] = {}
    for path in sorted((DEMO / "briefs").glob("*.json")):
        found, sources = demo_brief(path)
        words = plain_text(compose(found, Grounded(sources=sources)).body).split()
        for start in range(len(words) - 8):
            phrase = " ".join(words[start : start + 9])
            assert seen.setdefault(phrase, path.stem) == path.stem


GERMAN = (
    "## Die Regel\n\nDie Schaltsekunde fällt spätestens 2035 weg. Das beschloss die Konferenz in "
    "Versailles. Viele Rechner kamen mit ihr nie zurecht, z. B. im Jahr 2012.\n\n"
    "## Die Folgen\n\nUhren dürfen dann weiter von der Erddrehung abweichen als bisher."
)
JAPANESE = (
    "## うるう秒\n\nうるう秒は二〇三五年までに廃止される。国際度量衡総会がそう決めた。時計は"
    "地球の自転から離れてもよい。\n\n## 影響\n\n多くの計算機はこの一秒を正しく扱えなかった。"
)
NASTY = (
    "## [Not a link](x) # C#\n\n:::note[Break] *bold* _under_ `code` <b>html</b> &copy; | a | b |"
    " :cite[s9] {x=1} ::source[s4] std::vector[0] \\\n\n1. Not a list.\n\n- Nor this.\n\n"
    "> Nor a quotation.\n\n# Heading here\n\n=== a row\n\n~~~ a fence\n\n::: \n\n    indented"
)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["Short."],
        ["No full stop at all"],
        ["## Only a heading"],
        [""],
        [RULE],
        [RULE, ""],
        [RULE, RULE],
        [GERMAN],
        [JAPANESE],
        [NASTY],
        [NASTY, RULE, GERMAN],
        ["word " * 5_000],
        ["文" * 20_000],
        ["One sentence. " * 2_000],
        [RULE] * 20,
    ],
    ids=lambda texts: f"{len(texts)}-{(texts or ['none'])[0][:8]!a}",
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"points": ["The [first] point: *bold*.", "- The second."]},
        {"notes": "# Angle\n\n**Be** careful, :cite[s1].\n\n- one\n- two"},
        {"notes": NASTY, "points": [NASTY[:400]]},
    ],
    ids=["bare", "points", "notes", "nasty"],
)
def test_whatever_the_sources_are_the_article_passes_and_cites_each(
    texts: list[str], fields: dict[str, Any]
) -> None:
    sources = [source(f"s{number}", text) for number, text in enumerate(texts, 1)]
    body, findings = check(brief(**fields), sources)
    used = {key for call in read(body).calls() for key in call.sources}
    assert used == {fetched.id for fetched in sources}
    assert len(plain_text(body).split()) <= 900
    assert not [finding for finding in findings if "never cited" in finding]


def test_escaped_text_shows_as_it_was_whatever_it_holds() -> None:
    chance = random.Random(7)
    alphabet = ":[]{}()*_`<>&|~#+-=!\\.\"' 1ab\n\t" + "é文"
    for _ in range(3_000):
        text = "".join(chance.choices(alphabet, k=chance.randint(1, 40)))
        wanted = " ".join(text.split())
        reading = read(f"{escape(text)} :cite[s1]\n\n## x{escape(text)}")
        assert reading.errors == []
        first = [t.content for t in reading.tokens[1].children or () if t.type.startswith("text")]
        assert "".join(first).strip() == wanted, text
        heading = [t.content for t in reading.tokens[4].children or ()]
        assert "".join(heading) == f"x{wanted}", text


def test_the_same_brief_makes_the_same_article() -> None:
    found, sources = demo_brief(DEMO / "briefs" / "dev.json")
    first, second = (compose(found, Grounded(sources=sources)) for _ in range(2))
    assert first == second


def test_initials_and_abbreviations_end_no_sentence() -> None:
    text = "Dr. A. Smith came, e.g. in 2012. It was late! “Was it?” Yes."
    assert split_sentences(text) == [
        "Dr. A. Smith came, e.g. in 2012.",
        "It was late!",
        "“Was it?”",
        "Yes.",
    ]

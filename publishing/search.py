"""Search over live articles: full text and nearness of embeddings, fused by their ranks.

Nothing that a visitor asks for is paid for: no query leaves the house, and there is no cap that a
visitor could use up. A query is compared by spelling, with the embedded embedder: with the chunks
that have such vectors, and of articles whose chunks have paid ones with their briefs' title and
summary. Paid vectors, which no free query could be compared with, widen what the words have found:
chunks near the middle of the best ones mean much the same (feedback by Rocchio, 1971).
"""

import re
import string
from dataclasses import dataclass

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from publishing.models import Article
from publishing.providers import embeddings

MOST_RESULTS = 20
QUERY_LENGTH = 200  # characters; what stands behind them is not read
_NEAREST = 40  # as many as an HNSW scan looks at by default (hnsw.ef_search)
_RANKED = 1_000  # chunks with the words, the newest ones: to rank all that have "the" takes seconds
_FUSION = 60  # k of reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009

# A phrase in quotes or a word left out is meant to the letter: what is merely near is no answer.
_TO_THE_LETTER = re.compile(r'"|(?:^|\s)-\S')
# A "phrase" or a word, with the one minus before it that leaves it out.
_TERM = re.compile(r'((?:(?<!\S)-(?!-))?)(?:"([^"]*)"|([^\s"]+))')
_OPERATORS = re.compile(r"[!&|()]")  # of tsquery; here they only part words
_NONE_IS_NEAR = -1.0  # a cosine distance is at least 0
_EXAMPLES = 3  # chunks that the words found best; their middle is what the query means
_MEANT = 5  # chunks that may be added for what they mean
_FARTHEST_MEANT = 0.35  # cosine distance; chosen, not measured: no vendor's vectors were at hand

# The marks around a found word are control characters, for ts_headline escapes nothing.
_MARK, _UNMARK = "\x02", "\x03"
_MARKED = re.compile(f"{_MARK}([^{_MARK}{_UNMARK}]*){_UNMARK}")
_ELLIPSIS = " … "
_HEADLINE = (
    f"StartSel={_MARK}, StopSel={_UNMARK}, MaxFragments=2, MaxWords=24, MinWords=10, "
    f'FragmentDelimiter="{_ELLIPSIS}"'
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_STATEMENT = """
with query as (
    select websearch_to_tsquery('english', %(words)s) as words, %(vector)s::vector as vector
),
by_words as (
    select article_id, chunk, row_number() over (order by likeness desc, chunk) as place
    from (
        select distinct on (c.article_id) c.article_id, c.id as chunk,
            ts_rank_cd(c.words, query.words, 1) as likeness
        from (
            select c.id, c.article_id, c.words from publishing_chunk c
            where c.words @@ websearch_to_tsquery('english', %(words)s)
            order by c.id desc limit %(ranked)s
        ) c
        join publishing_article a on a.id = c.article_id and a.status = 'live'
        cross join query
        order by c.article_id, likeness desc, c.id
    ) best
),
near as (
    select c.article_id, c.id as chunk, c.embedding <=> %(vector)s::vector as distance
    from publishing_chunk c
    join publishing_article a on a.id = c.article_id and a.status = 'live'
    where c.embedder = %(embedder)s
    order by c.embedding <=> %(vector)s::vector
    limit %(nearest)s
),
by_nearness as (
    select article_id, chunk, row_number() over (order by distance, chunk) as place
    from (
        select distinct on (article_id) article_id, chunk, distance
        from near
        where distance < %(farthest)s
        order by article_id, distance, chunk
    ) best
),
by_spelling as (
    select a.id as article_id, first.id as chunk,
        row_number() over (order by b.embedding <=> %(vector)s::vector, a.id) as place
    from publishing_brief b
    join publishing_article a on a.brief_id = b.id and a.status = 'live'
    join publishing_chunk first on first.article_id = a.id and first.position = 0
        and first.embedder <> %(embedder)s
    where b.embedding <=> %(vector)s::vector < %(farthest)s
    order by b.embedding <=> %(vector)s::vector
    limit %(nearest)s
),
examples as (
    select c.embedder, avg(c.embedding) as middle
    from (select chunk from by_words order by place limit %(examples)s) best
    join publishing_chunk c on c.id = best.chunk and c.embedder <> %(embedder)s
    where %(farthest)s > 0
    group by c.embedder
),
by_meaning as (
    select near.article_id, near.chunk,
        row_number() over (order by near.distance, near.chunk) as place
    from examples
    cross join lateral (
        select c.article_id, c.id as chunk, c.embedding <=> examples.middle as distance
        from publishing_chunk c
        join publishing_article a on a.id = c.article_id and a.status = 'live'
        where c.embedder = examples.embedder
        order by c.embedding <=> examples.middle
        limit %(meant)s
    ) near
    where near.distance < %(farthest_meant)s
),
fused as (
    select article_id, sum(1.0 / (%(fusion)s + place)) as score,
        (array_agg(chunk order by list))[1] as chunk
    from (
        select 1 as list, article_id, chunk, place from by_words
        union all
        select 2, article_id, chunk, place from by_nearness
        union all
        select 3, article_id, chunk, place from by_spelling
        union all
        select 4, article_id, min(chunk), min(place) from by_meaning group by article_id
    ) lists
    group by article_id
    order by score desc, article_id desc
    limit %(most)s
)
select fused.article_id, c.text, ts_headline('english', c.text, query.words, %(headline)s)
from fused
join publishing_chunk c on c.id = fused.chunk
cross join query
order by fused.score desc, fused.article_id desc
"""


@dataclass(frozen=True)
class Found:
    """An article that answers a query, and the place in it that does, marked up with `mark`."""

    article: Article
    snippet: SafeString


def search(query: str) -> list[Found]:
    """Return the live articles that answer the query best, best first, at most 20.

    The query is read as `websearch_to_tsquery` reads it: words, "phrases", or, -without. An
    article that is only near in spelling is found too, unless the query has quotes or a minus.
    Whatever was typed, nothing is raised.
    """
    words = _tidy(query)
    if not words:
        return []
    ranked = _ranked(words)
    articles = Article.objects.select_related("lane", "revision").in_bulk(list(ranked))
    return [Found(articles[pk], snippet) for pk, snippet in ranked.items() if pk in articles]


def _tidy(query: str) -> str:
    """Reduce what was typed to words, phrases and single minuses before them.

    `websearch_to_tsquery` raises where more than 32 operators stand in a row.
    """
    plain = _CONTROL.sub(" ", query[:QUERY_LENGTH]).encode(errors="ignore").decode()
    terms = []
    for minus, phrase, word in _TERM.findall(_OPERATORS.sub(" ", plain)):
        words = _words(phrase or word)
        if words:
            terms.append(f'{minus}"{words}"' if phrase else f"{minus}{words}")
    return " ".join(terms)


def _words(text: str) -> str:
    """Return the words without the punctuation around them."""
    words = (word.strip(string.punctuation) for word in text.split())
    return " ".join(word for word in words if any(map(str.isalnum, word)))


def _ranked(words: str) -> dict[int, SafeString]:
    parameters: dict[str, str | int | float] = {
        "words": words,
        "vector": str(embeddings.embed([words])[0]),
        "embedder": embeddings.EMBEDDER,
        "nearest": _NEAREST,
        "ranked": _RANKED,
        "farthest": _NONE_IS_NEAR if _TO_THE_LETTER.search(words) else embeddings.FARTHEST,
        "examples": _EXAMPLES,
        "meant": _MEANT,
        "farthest_meant": _FARTHEST_MEANT,
        "fusion": _FUSION,
        "most": MOST_RESULTS,
        "headline": _HEADLINE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, parameters)
        return {pk: _snippet(text, headline) for pk, text, headline in cursor.fetchall()}


def _snippet(text: str, headline: str) -> SafeString:
    """Return the headline as HTML, with an ellipsis where it leaves off the text's ends."""
    words = _CONTROL.sub("", headline)
    before = "" if text.startswith(words.split(_ELLIPSIS)[0]) else "… "
    after = "" if text.endswith(words.split(_ELLIPSIS)[-1]) else " …"
    marked = _MARKED.sub(r"<mark>\1</mark>", escape(headline))
    return mark_safe(before + _CONTROL.sub("", marked) + after)  # noqa: S308 - escaped above

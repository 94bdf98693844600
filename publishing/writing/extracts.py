"""Passages of a page's text: cut into sentences, weighed against a brief, chosen, escaped."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from publishing.payloads import Brief

_LONG_PASSAGE = 120  # words; of a longer paragraph its first sentences are used
_LEAST_ALONE = 8  # words; fewer say nothing alone
_OPENING = 1.25  # weight of a section's first paragraph, which says what the section is about
_TITLE_WEIGHT, _SUMMARY_WEIGHT, _POINT_WEIGHT = 3.0, 2.0, 1.0

_STOPS = (".", "!", "?", "…", "。", "！", "？")
_CLOSERS = "\"'”’»)]」』”）"

_WORD = re.compile(r"[^\W_]{4,}|[\u3040-\u30ff\u3400-\u9fff]{2}")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # scripts without word gaps
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”）]*")
# Words whose full stop ends no sentence; single letters are initials.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[^\W\d_]|e\.g|i\.e|etc|vs|cf|ca|no|nos|vol|fig|mr|mrs|ms|dr|st|prof|gen|sen"
    r"|rev|jr|sr|bzw|z\.b|d\.h|nr|m|mme)\.$",
    re.IGNORECASE,
)
# A sentence that begins so points back at one that a reader of it alone does not see.
_POINTS_BACK = re.compile(
    r"(?:it|its|he|his|she|her|they|their|this|that|these|those|but|and|so|yet|such|both|then"
    r"|there|here|however|also|instead)\b",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"[\\`*_\[\]<&{}~|]")
_LINE_START = re.compile(r"[#>+\-=:]|\d{1,9}(?=[.)])")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True)
class Passage:
    """A paragraph of a source.

    Attributes:
        place: its number in the source, from 0.
        opens: it is the first of its section.
    """

    source: str
    heading: str
    place: int
    sentences: tuple[str, ...]
    opens: bool = False

    @property
    def words(self) -> int:
        """How many words it has."""
        return count_words(" ".join(self.sentences))

    def without(self, other: "Passage") -> "Passage":
        """Return it without the sentences of the other, if that was cut from it."""
        if (self.source, self.place) != (other.source, other.place):
            return self
        return replace(self, sentences=tuple(s for s in self.sentences if s not in other.sentences))


def read_passages(text: str, *, source: str, title: str) -> list[Passage]:
    """Cut a text into its paragraphs; lines that begin with # are headings of what follows."""
    passages: list[Passage] = []
    heading, opens = title, True
    for block in _blocks(text):
        if block.startswith("#"):
            heading, opens = block.lstrip("#").strip() or title, True
            continue
        sentences = tuple(_lead(split_sentences(block), _LONG_PASSAGE))
        passages.append(Passage(source, heading, len(passages), sentences, opens))
        opens = False
    return _with_real_headings(_without_fragments(passages))


def split_sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, each as it stands there."""
    sentences, start = [], 0
    for end in _END.finditer(paragraph):
        if _ends_sentence(paragraph, end):
            sentences.append(paragraph[start : end.end()].strip())
            start = end.end()
    sentences.append(paragraph[start:].strip())
    return [sentence for sentence in sentences if sentence]


def choose(passages: Sequence[Passage], brief: Brief, *, most_words: int) -> list[Passage]:
    """Return the passages that say most about the brief, in their order, within the words.

    The best of each source is among them, shortened where the sources are many.
    """
    weights = _weigh(passages, brief)
    ranked = sorted(range(len(passages)), key=lambda i: (-weights[i], i))
    by_source = {passages[i].source: i for i in reversed(ranked)}
    share = most_words // max(1, len(by_source))
    chosen = {i: _shortened(passages[i], min(_LONG_PASSAGE, share)) for i in by_source.values()}
    left = most_words - sum(passage.words for passage in chosen.values())
    for i in ranked:
        if i not in chosen and passages[i].words <= left:
            chosen[i] = passages[i]
            left -= passages[i].words
    return [chosen[i] for i in sorted(chosen)]


def choose_lead(chosen: Sequence[Passage], brief: Brief) -> list[Passage]:
    """Return the passages with the one first that says most about the brief."""
    weights = _weigh(chosen, brief)
    first = max(range(len(chosen)), key=lambda i: (weights[i], -i), default=0)
    return [*chosen[first : first + 1], *chosen[:first], *chosen[first + 1 :]]


def find_quotation(passages: Sequence[Passage], brief: Brief, *, most_words: int) -> Passage | None:
    """Return one sentence that can stand alone, as a passage; None where a source has too few.

    It comes from a paragraph that goes on without it: the last sentence of three or more.
    """
    cut = [
        replace(passage, sentences=passage.sentences[-1:])
        for passage in passages
        if len(passage.sentences) > 2 and _stands_alone(passage.sentences[-1], most_words)
    ]
    weights = _weigh(cut, brief)
    return cut[max(range(len(cut)), key=lambda i: (weights[i], -i))] if cut else None


def is_quotable(sentence: str, text: str) -> bool:
    """Say whether the sentence stands in the text as it is, and can be printed as it is."""
    return sentence.isprintable() and sentence in " ".join(text.split())


def escape(text: str) -> str:
    """Return text as markdown that shows exactly this text, on one line."""
    line = " ".join(_INVISIBLE.sub("", text).split())
    line = _SPECIAL.sub(lambda found: "\\" + found[0], line)
    start = _LINE_START.match(line)
    if start and start[0].isdigit():
        line = f"{line[: start.end()]}\\{line[start.end() :]}"
    elif start:
        line = f"\\{line}"
    return f"{line[:-1]}\\#" if line.endswith("#") and line != "\\#" else line


def count_words(text: str) -> int:
    """Count words by their gaps; two characters are one in scripts that have none."""
    return len(text.split()) + len(_UNSPACED.findall(text)) // 2


def shorten(text: str, *, most_words: int) -> str:
    """Return the text's first words, with an ellipsis where some are left out."""
    words = text.split()
    if count_words(text) <= most_words:
        return " ".join(words)
    kept = " ".join(words[:most_words])
    return f"{kept if count_words(kept) <= most_words else kept[: most_words * 2]} …"


def _blocks(text: str) -> Iterator[str]:
    """Yield headings and paragraphs, each on one line."""
    for part in re.split(r"\n\s*\n", text):
        lines = [" ".join(line.split()) for line in part.splitlines()]
        while lines and lines[0].startswith("#"):
            yield lines.pop(0)
        if any(character.isalnum() for line in lines for character in line):
            yield " ".join(line for line in lines if line)


def _ends_sentence(paragraph: str, end: re.Match[str]) -> bool:
    after = paragraph[end.end() :].lstrip()
    if after[:1].islower():
        return False
    return not (end[0] == "." and _ABBREVIATION.search(paragraph[: end.end()][-12:]))


def _lead(sentences: Sequence[str], most_words: int) -> list[str]:
    """Return the first sentences within the words; one that is too long alone is shortened."""
    kept: list[str] = []
    for sentence in sentences:
        if count_words(" ".join([*kept, sentence])) > most_words:
            break
        kept.append(sentence)
    return kept or [shorten(sentence, most_words=most_words) for sentence in sentences[:1]]


def _shortened(passage: Passage, most_words: int) -> Passage:
    return replace(passage, sentences=tuple(_lead(passage.sentences, most_words)))


def _without_fragments(passages: Sequence[Passage]) -> list[Passage]:
    """Drop what is no sentence, such as datelines and captions, if anything else is left."""
    whole = [p for p in passages if p.sentences[-1].rstrip(_CLOSERS).endswith(_STOPS)]
    return whole or list(passages)


def _with_real_headings(passages: Sequence[Passage]) -> list[Passage]:
    """Drop headings without a letter or digit: a heading has words."""
    return [
        passage
        if any(character.isalnum() for character in passage.heading)
        else replace(passage, heading="")
        for passage in passages
    ]


def _stands_alone(sentence: str, most_words: int) -> bool:
    return (
        _LEAST_ALONE <= count_words(sentence) <= most_words
        and sentence.isprintable()
        and not _POINTS_BACK.match(sentence)
    )


def _weigh(passages: Sequence[Passage], brief: Brief) -> list[float]:
    """Weigh each passage by the brief's words in it, rare ones more, for its length."""
    wanted: dict[str, float] = {}
    for texts, weight in (
        (brief.points, _POINT_WEIGHT),
        ([brief.summary], _SUMMARY_WEIGHT),
        ([brief.title], _TITLE_WEIGHT),
    ):
        wanted |= dict.fromkeys(_words(texts), weight)
    found = [_words(passage.sentences) for passage in passages]
    common = Counter(word for words in found for word in words)
    return [
        (_OPENING if passage.opens else 1.0)
        * sum(wanted[word] / common[word] for word in sorted(words & wanted.keys()))
        / max(20, passage.words) ** 0.5
        for passage, words in zip(passages, found, strict=True)
    ]


def _words(texts: Iterable[str]) -> set[str]:
    return set(_WORD.findall(" ".join(texts).casefold()))

"""Texts cut to the bytes that a request has room for, at the ends of paragraphs."""

from collections.abc import Sequence

from publishing.ledger.keys import canonical_json


def fit(texts: Sequence[str], room: int) -> list[str]:
    """Share the bytes: whatever a short text leaves over goes to the longer ones."""
    fitted = dict.fromkeys(range(len(texts)), "")
    by_size = sorted(fitted, key=lambda i: (sent_bytes(texts[i]), i))
    for place, i in enumerate(by_size):
        fitted[i] = _cut(texts[i], room // (len(texts) - place))
        room -= sent_bytes(fitted[i])
    return list(fitted.values())


def sent_bytes(text: str) -> int:
    """Return the bytes of a text as it is sent, without its quotation marks."""
    return len(canonical_json(text).encode()) - 2


def _cut(text: str, most_bytes: int) -> str:
    """Return the paragraphs that fit, or the first one's first words."""
    if sent_bytes(text) <= most_bytes:
        return text
    kept, left = [], most_bytes
    for paragraph in text.split("\n\n"):
        left -= sent_bytes(paragraph) + sent_bytes("\n\n")
        if left < 0:
            break
        kept.append(paragraph)
    return "\n\n".join(kept) or _cut_words(text, most_bytes)


def _cut_words(text: str, most_bytes: int) -> str:
    kept = text
    while sent_bytes(kept) > most_bytes:
        kept = kept[: len(kept) * most_bytes // sent_bytes(kept)]
    return kept.rsplit(None, 1)[0]

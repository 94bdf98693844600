"""How much a page reads like orders to a model rather than like a text for people.

A score, not a gate: phrases can be put otherwise, and an article about prompt injection quotes
them. What holds is that fetched text is only ever a document, that no tool runs on it and that
links are checked afterwards; the score tells an editor where to look.
"""

import re
import unicodedata

# Words in invisible characters: the tag block spells ASCII, variation selectors carry bytes.
_TAGS = {0xE0000 + code: code for code in range(0x20, 0x7F)}
_UNSEEN = dict.fromkeys(
    [
        0x00AD,  # soft hyphen
        0x200B,  # zero-width space; not 200C and 200D, which some scripts and emoji need
        *range(0x200E, 0x2010),
        *range(0x202A, 0x202F),  # bidirectional overrides
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xE0000, 0xE0080),
        *range(0xE0100, 0xE01F0),
    ]
)
_MODEL = r"(?:ai|llms?|language models?|chat ?bots?|(?:ai|digital) (?:agents?|assistants?|models?))"

# Every gap is bounded, so the time is linear in the text.
_ORDERS = [
    (re.compile(pattern), weight)
    for pattern, weight in (
        (
            r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all"
            r"|your|any)\b.{0,30}\b(?:instructions?|prompts?|rules|directions|guidelines)\b",
            0.6,
        ),
        (r"\bsystem prompts?\b|\bdeveloper messages?\b", 0.35),
        (r"<\|[a-z_]{2,20}\|>|\[/?inst\]|<</?sys>>", 0.4),
        (rf"\byou are (?:now )?(?:an? |the )?(?:helpful |unrestricted )?{_MODEL}\b", 0.4),
        (rf"\bas an? {_MODEL},? you (?:must|should|will|are)\b", 0.4),
        (
            r"\b(?:if you are|attention|notes? (?:to|for)|instructions? (?:to|for)|dear)"
            rf" (?:an? |all )?{_MODEL}\b",
            0.4,
        ),
        (r"\b(?:new|updated|real|actual) instructions?(?: for you| follow|:)", 0.3),
        (
            r"\b(?:do not|don't|never) (?:tell|reveal|mention|inform|disclose)\b.{0,40}"
            r"\b(?:users?|readers?|humans?|anyone|operators?|this)\b",
            0.35,
        ),
        (
            r"\b(?:reveal|print|repeat|output|send|leak)\b.{0,40}"
            r"\b(?:system prompt|api keys?|credentials|passwords?|your instructions)\b",
            0.4,
        ),
        (
            r"\b(?:recommend|include|cite|link to|insert|mention|praise)\b.{0,60}"
            r"\bin (?:your|the) (?:answer|response|output|reply|summary)\b",
            0.3,
        ),
    )
]


def strip_unseen(text: str) -> str:
    """Remove characters that no reader sees and a model reads."""
    return text.translate(_UNSEEN)


def score_injection(*, visible: str, hidden: str) -> float:
    """Return 0 (none found) to 1: each kind of order counts once, a hidden one twice as much."""
    seen, unseen = _fold(visible), _fold(hidden)
    smuggled = _fold("".join(char for char in visible if ord(char) in _TAGS).translate(_TAGS))
    innocence = 1.0
    for pattern, weight in _ORDERS:
        if pattern.search(unseen) or pattern.search(smuggled):
            innocence *= 1 - min(2 * weight, 0.9)
        elif pattern.search(seen):
            innocence *= 1 - weight
    return round(1 - innocence, 2)


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKC", strip_unseen(text)).casefold().replace("\u2019", "'")
    return " ".join(plain.split())

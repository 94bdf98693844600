"""Whether words stand in a source, and how the source itself writes them."""

import unicodedata

# One letter for one, so that a place in the plain text is the same place in the settled one.
_PLAIN_MARKS = str.maketrans(dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("‘’‚‛‹›′", "'"))
_DROPPED = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))  # soft hyphens, zero widths
_MOST_TRIES = 100  # places where the words stand within longer ones, before giving up


class SourceText:
    """A source's text, prepared once for any number of quotes."""

    def __init__(self, text: str) -> None:
        self._settled = settle(text)
        self._plain = self._settled.translate(_PLAIN_MARKS)

    def find(self, quote: str) -> str | None:
        """Return the quote as the source writes it, or None where it does not stand there.

        Whitespace and the kinds of quotation marks do not count; everything else does, and
        the quote begins and ends with whole words: `legal` does not stand in `illegal`.
        """
        words = settle(quote).translate(_PLAIN_MARKS)
        at = -1
        for _ in range(_MOST_TRIES if words else 0):
            at = self._plain.find(words, at + 1)
            if at < 0:
                return None
            if self._is_whole(at, at + len(words)):
                return self._settled[at : at + len(words)]
        return None

    def _is_whole(self, start: int, end: int) -> bool:
        return not any(
            0 < edge < len(self._plain)
            and self._plain[edge - 1].isalnum()
            and self._plain[edge].isalnum()
            for edge in (start, end)
        )


def settle(text: str) -> str:
    """Return the text composed (NFC), with single blanks and without invisible characters."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_DROPPED).split())

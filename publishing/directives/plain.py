"""A body as plain text: for search, word counts, reading time and the checking of quotes."""

from collections.abc import Iterable, Iterator

from markdown_it.token import Token

from publishing.directives.markdown import read_strictly


def plain_text(body: str) -> str:
    """Return the body's words, paragraphs parted by blank lines.

    Citations and source cards have no words of their own; terms, titles and code have.

    Raises:
        DirectiveError: a directive is wrong.
    """
    return text_of(read_strictly(body).tokens)


def sections(body: str) -> list[tuple[str, str]]:
    """Return the body in pieces, each with its heading; a piece without text is left out.

    What stands before the first heading has the empty heading. Headings of all levels part.

    Raises:
        DirectiveError: a directive is wrong.
    """
    pieces: list[tuple[str, list[Token]]] = [("", [])]
    in_heading = False
    for token in read_strictly(body).tokens:
        if token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
        elif in_heading:
            pieces.append((words_of(token), []))
        else:
            pieces[-1][1].append(token)
    texts = ((heading, text_of(tokens)) for heading, tokens in pieces)
    return [(heading, text) for heading, text in texts if text]


def text_of(tokens: Iterable[Token]) -> str:
    """Return the words of block tokens, blocks parted by blank lines."""
    return "\n\n".join(words for words in map(_block_words, tokens) if words)


def words_of(token: Token) -> str:
    """Return the words of one inline token on one line."""
    return " ".join("".join(_pieces(token)).split())


def _block_words(token: Token) -> str:
    if token.type in ("fence", "code_block"):
        return token.content.strip("\n")
    return words_of(token) if token.type == "inline" else ""


def _pieces(token: Token) -> Iterator[str]:
    for child in token.children or ():
        if child.type in ("text", "code_inline", "html_inline", "text_special"):
            yield child.content
        elif child.type in ("softbreak", "hardbreak"):
            yield " "
        elif child.type == "image":
            yield from _pieces(child)

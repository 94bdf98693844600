"""The markdown-it rule for directives within a line: `:name[content]{attributes}`."""

import re

from markdown_it.rules_inline import StateInline

from publishing.directives.grammar import NAME, GrammarError, Parts, take_apart
from publishing.directives.places import LineText, Notes
from publishing.directives.registry import DIRECTIVES, WRITTEN, Call

_COLONS = re.compile(r":+")


def read_directive(
    state: StateInline,
    silent: bool,  # noqa: FBT001 - markdown-it calls its rules so
) -> bool:
    """Take a directive; a wrong one is noted, and its colons and name stepped over."""
    start = state.pos
    if state.src[start] != ":" or not (head := _looks_like_one(state)):
        return False
    colons, name = head
    notes: Notes = state.env["notes"]
    text = notes.text_of(state.src)
    try:
        parts = _read(state, colons, name, text)
    except GrammarError as error:
        if not silent:
            line, column = text.place(start)
            notes.add(error, line=line, column=column, name=name)
        state.pos = start + colons + len(name)
        return True
    if not silent:
        _push(state, parts, text)
    state.pos = parts.end
    return True


def _looks_like_one(state: StateInline) -> tuple[int, str] | None:
    """Return the number of colons and the name, if this is more than a colon in prose.

    `:word[` is, whatever the word; of more colons or with a brace only a known name is, since
    `std::vector[0]` and `a:b{` are common in texts about programs.
    """
    if state.pos and state.src[state.pos - 1] == ":":
        return None
    run = _COLONS.match(state.src, state.pos, state.posMax)
    found = run and NAME.match(state.src, run.end(), state.posMax)
    if not run or not found or found.end() >= state.posMax:
        return None
    colons, follows = run.end() - run.start(), state.src[found.end()]
    is_known = found[0] in DIRECTIVES
    if (follows == "[" and (colons == 1 or is_known)) or (follows == "{" and is_known):
        return colons, found[0]
    return None


def _read(state: StateInline, colons: int, name: str, text: LineText) -> Parts:
    form = DIRECTIVES[name].form if name in DIRECTIVES else "text"
    if colons > 1 or form != "text":
        raise GrammarError(
            f"{name} does not stand here in this form",
            f"write {WRITTEN[form].format(name=name)}",
        )
    parts = take_apart(state.src, state.pos + colons, form="text", brackets=text.brackets)
    if parts.end > state.posMax:
        raise GrammarError(f"{name} is cut off by the brackets around it", "write it outside")
    if name == "cite" and state.linkLevel > 0:
        raise GrammarError("a link within a link", "put the :cite[…] behind the link")
    if name == "term" and state.env["notes"].in_term:
        raise GrammarError("a term within a term", "end the first one before the next")
    return parts


def _push(state: StateInline, parts: Parts, text: LineText) -> None:
    line, column = text.place(state.pos)
    label = parts.label or (state.pos, state.pos)
    call = Call(
        directive=parts.directive,
        label=state.src[slice(*label)],
        sources=parts.sources,
        line=line,
        column=column,
        attributes=parts.attributes,
    )
    state.push("directive_open", "", 1).meta = {"call": call}
    if parts.directive.label == "words":
        _read_words(state, *label)
    state.push("directive_close", "", -1).meta = {"call": call}


def _read_words(state: StateInline, start: int, end: int) -> None:
    """Read the words of a label as markdown, as markdown-it does with a link's."""
    notes: Notes = state.env["notes"]
    outer_end, state.pos, state.posMax = state.posMax, start, end
    notes.in_term = True
    state.md.inline.tokenize(state)
    notes.in_term = False
    state.posMax = outer_end

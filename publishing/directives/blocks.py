"""The markdown-it rule for directives on lines of their own: leaves and containers."""

import re

from markdown_it.rules_block import StateBlock

from publishing.directives.grammar import NAME, GrammarError, Parts, match_brackets, take_apart
from publishing.directives.places import Notes
from publishing.directives.registry import DIRECTIVES, Call

_COLONS = re.compile(r":{2,}")
_FENCE = re.compile(r"(:{3,})([^:].*)?")
_CODE_FENCE = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})(.*)")


def read_directive(
    state: StateBlock,
    start_line: int,
    end_line: int,
    silent: bool,  # noqa: FBT001 - markdown-it calls its rules so
) -> bool:
    """Take a leaf, a container with what it holds, or a fence that closes nothing."""
    if state.is_code_block(start_line):
        return False
    text = _line(state, start_line)
    colons = _count_colons(text)
    if not colons:
        return False
    if silent:
        return True
    if colons == 2:
        _push_leaf(state, start_line, text)
    else:
        _push_container(state, start_line, end_line, text, colons)
    return True


def _line(state: StateBlock, line: int) -> str:
    start = state.bMarks[line] + state.tShift[line]
    return state.src[start : state.eMarks[line]].rstrip()


def _count_colons(text: str) -> int:
    """Return the number of colons before a directive, 0 where there is none.

    Three colons always mean one. Two mean one before a bracket, a brace or a known name.
    """
    run = _COLONS.match(text)
    if not run or run.end() > 2:
        return run.end() if run else 0
    name = NAME.match(text, 2)
    if not name:
        return 0
    return 2 if name[0] in DIRECTIVES or text[name.end() : name.end() + 1] in ("[", "{") else 0


def _push_leaf(state: StateBlock, line: int, text: str) -> None:
    parts = _read(state, line, text, 2)
    state.line = line + 1
    if parts:
        call = _call(state, parts, line, text)
        token = state.push("directive_open", "", 1)
        token.map, token.meta, token.block = [line, line + 1], {"call": call}, True
        token = state.push("directive_close", "", -1)
        token.meta, token.block = {"call": call}, True


def _read(state: StateBlock, line: int, text: str, colons: int) -> Parts | None:
    form = "leaf" if colons == 2 else "container"
    try:
        if not text[colons:]:
            raise GrammarError(
                "this fence closes nothing", "open a container before it, or remove it"
            )
        brackets = match_brackets(text)
        parts = take_apart(text, colons, form=form, brackets=brackets)  # type: ignore[arg-type]
        if parts.end < len(text):
            raise GrammarError(
                f"{text[parts.end : parts.end + 20]!r} stands behind {parts.directive.name}",
                "such a directive has its line for itself",
            )
    except GrammarError as error:
        _note(state, line, text, error)
        return None
    return parts


def _call(state: StateBlock, parts: Parts, line: int, text: str) -> Call:
    return Call(
        directive=parts.directive,
        label=text[slice(*parts.label)] if parts.label else "",
        sources=parts.sources,
        line=line + 1,
        column=_column(state, line, text),
        attributes=parts.attributes,
    )


def _push_container(
    state: StateBlock, start_line: int, end_line: int, text: str, colons: int
) -> None:
    parts = _read(state, start_line, text, colons)
    if not text[colons:]:
        state.line = start_line + 1
        return
    close_line, problem = _find_close(state, start_line, end_line, colons)
    if problem:
        _note(state, start_line, text, problem)
    elif parts and _is_empty(state, start_line + 1, close_line):
        _note(
            state,
            start_line,
            text,
            GrammarError(
                f"{parts.directive.name} is empty", f"write {parts.directive.example}, with words"
            ),
        )
    call = _call(state, parts, start_line, text) if parts else None
    _push_inside(state, start_line, close_line, call)
    state.line = min(close_line + 1, end_line)


def _find_close(
    state: StateBlock, start_line: int, end_line: int, colons: int
) -> tuple[int, GrammarError | None]:
    """Return the line of the closing fence, or the end of what is around, and what is wrong.

    A fence within a code block is code. A container inside needs a shorter fence; where it has
    none, its own end is stepped over, so that one mistake is told once.
    """
    code, depth, problem = "", 1, None
    for line in range(start_line + 1, end_line):
        text = _line(state, line)
        if text and state.sCount[line] < state.blkIndent:
            return line - 1, _unclosed(colons)
        if state.is_code_block(line):
            continue
        code, is_code = _follow_code(text, code)
        fence = None if is_code else _FENCE.fullmatch(text)
        if not fence or len(fence[1]) < colons:
            continue
        if fence[2]:
            problem = GrammarError(
                f"line {line + 1} opens a container inside with a fence as long as this one",
                f"write the outer fences with {len(fence[1]) + 1} colons",
            )
        depth += 1 if fence[2] else -1
        if not depth:
            return line, problem
    return end_line, _unclosed(colons)


def _follow_code(text: str, code: str) -> tuple[str, bool]:
    """Return the code fence that is open after this line, and whether the line is code."""
    fence = _CODE_FENCE.fullmatch(text)
    if code:
        closes = fence and fence[1].startswith(code) and not fence[2].strip()
        return ("" if closes else code), True
    return (fence[1], True) if fence else ("", False)


def _unclosed(colons: int) -> GrammarError:
    return GrammarError(
        "this container is not closed", f"put {':' * colons} on a line of its own behind it"
    )


def _is_empty(state: StateBlock, start_line: int, end_line: int) -> bool:
    return all(state.isEmpty(line) for line in range(start_line, min(end_line, state.lineMax)))


def _push_inside(state: StateBlock, start_line: int, close_line: int, call: Call | None) -> None:
    outer_type, outer_max = state.parentType, state.lineMax
    state.parentType = "directive"
    token = state.push("directive_open", "", 1)
    token.map, token.meta, token.block = [start_line, close_line], {"call": call}, True
    if call and call.label:
        _push_title(state, start_line, call.label)
    state.lineMax = min(close_line, outer_max)
    state.md.block.tokenize(state, start_line + 1, state.lineMax)
    state.lineMax, state.parentType = outer_max, outer_type
    token = state.push("directive_close", "", -1)
    token.meta, token.block = {"call": call}, True


def _push_title(state: StateBlock, line: int, title: str) -> None:
    token = state.push("directive_title_open", "p", 1)
    token.attrs, token.block = {"class": "note-title"}, True
    token = state.push("inline", "", 0)
    token.content, token.map, token.children = title.strip(), [line, line + 1], []
    token = state.push("directive_title_close", "p", -1)
    token.block = True


def _note(state: StateBlock, line: int, text: str, error: GrammarError) -> None:
    name = NAME.match(text.lstrip(":"))
    notes: Notes = state.env["notes"]
    notes.add(error, line=line + 1, column=_column(state, line, text), name=name[0] if name else "")


def _column(state: StateBlock, line: int, text: str) -> int:
    notes: Notes = state.env["notes"]
    return max(notes.lines[line].find(text), 0) + 1

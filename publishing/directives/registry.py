"""The directives that a body may use: their forms, what stands in them, and their error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Form = Literal["text", "leaf", "container"]

# How each form is written; the three forms of the generic directives proposal, as remark reads it.
WRITTEN: Mapping[Form, str] = {
    "text": ":{name}[…] within a line",
    "leaf": "::{name}[…] alone on a line",
    "container": ":::{name} on a line, closed by ::: on a line of its own",
}


class DirectiveError(ValueError):
    """A directive is wrong; the body cannot be shown until it is mended.

    Attributes:
        line: of the body, from 1.
        column: from 1.
        name: of the directive; empty for a fence that closes nothing.
        problem: what is wrong.
        allowed: what would be right.
    """

    def __init__(self, *, line: int, column: int, name: str, problem: str, allowed: str) -> None:
        super().__init__(f"line {line}, column {column}: {problem}; {allowed}")
        self.line = line
        self.column = column
        self.name = name
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True)
class Attribute:
    """What a directive's attribute holds: the id of a source, or words."""

    kind: Literal["source", "words"]
    longest: int


@dataclass(frozen=True)
class Directive:
    """One entry of the registry; every attribute that it has is required.

    Attributes:
        label: what stands in the square brackets. `sources` is a list of ids with commas,
            `source` is one id, `words` is markdown, `title` is markdown that may be missing.
    """

    name: str
    form: Form
    label: Literal["sources", "source", "words", "title", "none"]
    attributes: Mapping[str, Attribute]
    example: str


@dataclass(frozen=True)
class Call:
    """A directive as it stands in a body.

    Attributes:
        label: the text in the square brackets, as written.
        sources: ids of the sources that it names, in the order written.
        line: of the body, from 1.
        column: from 1.
    """

    directive: Directive
    label: str
    sources: tuple[str, ...]
    line: int
    column: int
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The directive's name."""
        return self.directive.name

    def error(self, problem: str, allowed: str) -> DirectiveError:
        """Return an error that points to this call."""
        return DirectiveError(
            line=self.line, column=self.column, name=self.name, problem=problem, allowed=allowed
        )


DIRECTIVES: Mapping[str, Directive] = {
    directive.name: directive
    for directive in (
        Directive("cite", "text", "sources", {}, ":cite[s1] or :cite[s1,s2]"),
        Directive(
            "term",
            "text",
            "words",
            {"means": Attribute("words", longest=300)},
            ':term[words]{means="their meaning"}',
        ),
        Directive("source", "leaf", "source", {}, "::source[s1]"),
        Directive("note", "container", "title", {}, ":::note[Title] … :::"),
        Directive(
            "quote",
            "container",
            "none",
            {"source": Attribute("source", longest=8)},
            ':::quote{source="s1"} … :::',
        ),
    )
}


def known_names() -> str:
    """Return what an unknown name is answered with."""
    return "there are " + ", ".join(directive.example for directive in DIRECTIVES.values())

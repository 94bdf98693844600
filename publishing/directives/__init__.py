"""Article bodies: markdown with directives, checked, shown to readers, read as plain text."""

from publishing.directives.markdown import Reading, read
from publishing.directives.plain import plain_text, sections
from publishing.directives.registry import DIRECTIVES, Call, Directive, DirectiveError
from publishing.directives.rendering import SourceForDisplay, render_body

__all__ = [
    "DIRECTIVES",
    "Call",
    "Directive",
    "DirectiveError",
    "Reading",
    "SourceForDisplay",
    "plain_text",
    "read",
    "render_body",
    "sections",
]

"""The four specs of a bundle as an editor writes them, and as a stored version has them."""

from typing import Annotated

import regex
from pydantic import AfterValidator, ValidationError

from lanes import models
from lanes.contracts import AntiPattern
from lanes.models import Bundle
from workflows.contracts import Contract
from workflows.errors import ContractError


def _written(value: str) -> str:
    """Refuse what is empty or what Postgres cannot hold."""
    if not value.strip():
        raise ValueError("is empty; write at least a sentence")
    if "\x00" in value:
        raise ValueError("contains NUL, which no text may")
    return value


def _compiles(pattern: AntiPattern) -> AntiPattern:
    _written(pattern.text), _written(pattern.why)
    if pattern.pattern is not None:
        _written(pattern.pattern)
        try:
            regex.compile(pattern.pattern)
        except regex.error as error:
            raise ValueError(f"{pattern.pattern!r} is no regular expression: {error}") from None
    return pattern


Spec = Annotated[str, AfterValidator(_written)]


class Specs(Contract):
    """The four specs as an editor writes them; a bundle is these with a number and a note."""

    voice: Spec
    audience: Spec
    anti_patterns: list[Annotated[AntiPattern, AfterValidator(_compiles)]] = []
    brief_hints: Spec


def read_specs(given: object) -> Specs:
    """Return the specs, or raise ContractError with the path of the first place that is wrong."""
    try:
        return Specs.model_validate(given)
    except ValidationError as error:
        raise ContractError(*first_fault(error)) from None


def specs_of(bundle: Bundle) -> Specs:
    """Return what a stored version says."""
    return Specs(
        voice=bundle.voice,
        audience=bundle.audience,
        anti_patterns=patterns_of(bundle),
        brief_hints=bundle.brief_hints,
    )


def patterns_of(bundle: Bundle) -> list[AntiPattern]:
    """Return a stored version's anti-patterns, in their order."""
    return [_pattern_of(row) for row in bundle.anti_patterns.all()]


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return path, such as `anti_patterns[2].pattern`, and message of the first fault."""
    return faults_of(error)[0]


def faults_of(error: ValidationError) -> list[tuple[str, str]]:
    """Return path and message of every fault."""
    return [
        (
            "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]
            ).lstrip("."),
            fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors(include_url=False)
    ]


def _pattern_of(row: models.AntiPattern) -> AntiPattern:
    return AntiPattern.model_validate(
        {
            "text": row.text,
            "why": row.why,
            "severity": row.severity,
            "pattern": row.pattern or None,
        }
    )

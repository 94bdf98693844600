"""What a lane gives to a step: its bundle, which only `generate` takes."""

from typing import Literal

from workflows.contracts import Contract


class AntiPattern(Contract):
    """Something that this lane does not print, and why.

    Attributes:
        pattern: a regular expression that finds it, where that is possible.
    """

    text: str
    why: str
    severity: Literal["warn", "flag"] = "warn"
    pattern: str | None = None


class BundleSpecs(Contract):
    """The four specs of one bundle version, as `generate` reads them."""

    lane: str
    version: int
    voice: str
    audience: str
    anti_patterns: list[AntiPattern]
    brief_hints: str

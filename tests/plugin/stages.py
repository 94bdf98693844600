"""Steps that somebody else adds to the pipeline, and a contract that a prompt step may provide."""

from typing import Annotated

from pydantic import Field

from publishing.payloads import Draft
from workflows.contracts import Contract
from workflows.registry import step


class Readability(Contract):
    """How a draft reads; its words are free keys, so no model can be asked for one."""

    words: int
    counts: dict[str, int]


class Verdict(Contract):
    """Whether a draft may go on.

    Attributes:
        flags: short reasons for a reviewer.
    """

    sound: bool
    reason: Annotated[str, Field(max_length=80)]
    flags: list[str] = []


class Heeded(Contract):
    """What came of a verdict."""

    said: str


@step("plugin_measure")
def measure(draft: Draft) -> Readability:
    """Count a draft's words."""
    words = draft.body.split()
    return Readability(words=len(words), counts={word: words.count(word) for word in words})


@step("plugin_assume")
def assume(draft: Draft) -> Verdict:
    """Take a draft for sound."""
    return Verdict(sound=True, reason=f"nobody looked at {draft.title}")


@step("plugin_heed")
def heed(verdict: Verdict) -> Heeded:
    """Read a verdict."""
    return Heeded(said=f"{verdict.sound}: {verdict.reason}")

"""The brief on the wire, and the contracts that one stage hands to the next.

The brief is one model: the API validates with it and the stages read it. Strings are taken as
sent: nothing is trimmed or folded.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from workflows.contracts import Contract

BRIEF_ID = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,91}$"  # 92 and `publish-` make the 100 of an instance ID
SLUG = r"^[a-z0-9-]{1,80}$"


class BriefSource(Contract):
    """A page that the article shall rest on."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    title: Annotated[str, StringConstraints(max_length=300)] | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None


class Brief(Contract):
    """What a routine posts: what shall be written, on which sources, for which lane."""

    brief_id: Annotated[str, StringConstraints(pattern=BRIEF_ID)]
    lane: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    summary: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    slug: Annotated[str, StringConstraints(pattern=SLUG)] | None = None
    points: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=500)]], Field(max_length=30)
    ] = []
    notes: Annotated[str, StringConstraints(max_length=50_000)] | None = None
    sources: Annotated[list[BriefSource], Field(max_length=20)] = []
    tags: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=50)]], Field(max_length=10)
    ] = []
    publish_at: AwareDatetime | None = None


class Fact(Contract):
    """Base of what only the stage that did it can say; a model is never asked for one."""


class Validated(Fact):
    """What `validate` found: the reserved address, and briefs that are much like this one.

    Attributes:
        similar: brief_ids with their likeness, 0 to 1, nearest first.
    """

    slug: str
    similar: list[tuple[str, float]] = []


class SourceLink(Fact):
    """A link in the text of a source, with the words around it."""

    url: str
    text: str
    context: str


class FetchedSource(Fact):
    """One source as it was fetched, without its hidden text.

    Attributes:
        id: `s1`, `s2` …; what the text cites.
        status: `fetched`, or `dead` with the reason in `problem` and no text.
        sha256: of the bytes received, in hex.
        injection_score: 0 to 1; how much the page reads like orders to a model.
        found_in: id of the source whose links led here, in a later pass.
        links: those of its text that speak of what the brief asks, for a later pass.
    """

    id: str
    url: str
    final_url: str
    status: Literal["fetched", "dead"]
    problem: str | None = None
    title: str = ""
    author: str = ""
    site: str = ""
    note: str = ""
    text: str = ""
    sha256: str = ""
    injection_score: float = 0.0
    found_in: str | None = None
    fetched_at: datetime
    links: list[SourceLink] = []


class Grounded(Fact):
    """The fetched sources, in the order of the brief and then of later passes."""

    sources: list[FetchedSource]

    @property
    def fetched(self) -> list[FetchedSource]:
        """Those that may be cited."""
        return [source for source in self.sources if source.status == "fetched"]


class Citation(Contract):
    """A place in the article that rests on a source.

    Attributes:
        source: its id.
        quote: words that stand in the source's text, verbatim.
    """

    source: str
    quote: str = ""


class WrittenBy(Fact):
    """How the body came to be; shown to readers.

    Attributes:
        author: `offline` composes from the sources without a model; `anthropic` is a paid call.
        model: the model's id, empty for `offline`.
        bundle: version of the lane's bundle.
    """

    author: Literal["offline", "anthropic"]
    model: str = ""
    bundle: int
    cost_micros: int = 0


class Draft(Contract):
    """The article as written, before it was checked.

    Attributes:
        flags: short reasons why a person should look before it goes live.
        findings: what a check of the text reported besides.
    """

    title: str
    summary: str
    body: str
    tags: list[str] = []
    citations: list[Citation] = []
    written_by: WrittenBy
    flags: list[str] = []
    findings: list[str] = []


class Note(Contract):
    """What a reviewer shall know before the article goes live.

    Attributes:
        text: what was found, for the reviewer to read.
        flags: short reasons to look closely, one each; none where all is well.
    """

    text: str
    flags: list[str] = []


class Cleaned(Fact):
    """The article after its checks.

    Attributes:
        flags: short reasons why a person should look before it goes live.
        findings: what was reported and not refused.
        repairs: what was mended mechanically.
    """

    title: str
    summary: str
    body: str
    tags: list[str] = []
    citations: list[Citation] = []
    written_by: WrittenBy
    flags: list[str] = []
    findings: list[str] = []
    repairs: list[str] = []


class Persisted(Fact):
    """The stored revision."""

    article: int
    revision: int
    slug: str
    title: str
    summary: str
    body: str


class Indexed(Fact):
    """What search knows of the revision."""

    article: int
    chunks: int
    embedder: str


class Rendition(Contract):
    """One stored size of a cover: storage key, pixels, bytes."""

    key: str
    width: int
    height: int
    body_bytes: int


class Cover(Fact):
    """The stored cover; every object's key holds the SHA-256 of its bytes."""

    renditions: list[Rendition]
    alt: str
    made_by: str


class Published(Fact):
    """The live article."""

    article: int
    url: str
    published_at: datetime

    @field_validator("url")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("is a path of this site")
        return value

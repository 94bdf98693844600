"""What a paid call is, and how it is recognised when it is asked for again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PaidCall:
    """One paid request, as a step asks for it.

    Attributes:
        provider: which of `publishing.ledger.door.PROVIDERS` sends it.
        regeneration: raised only by a person who wants to pay again; 0 at first.
        bundle: the bundle version that it is written under, where it has one.
        label: given by the step, never counted, so that threads and retries agree on it.
        request: JSON as the provider takes it; it names its `model`.
        deadline: when the answer is given up, at the latest; aware.
        economy: at half price within a day, through the vendor's batches; texts only.
        drain: id of the drain that runs the step; 0 outside of one.
    """

    provider: str
    brief_id: str
    lane: str
    entry: str
    label: str
    request: Mapping[str, Any]
    deadline: datetime
    drain: int = 0
    regeneration: int = 0
    bundle: int | None = None
    economy: bool = False

    @property
    def key(self) -> str:
        """Brief / entry / regeneration / label; by brief, so a broken ID buys nothing twice."""
        return f"{self.brief_id}/{self.entry}/{self.regeneration}/{self.label}"

    @property
    def model(self) -> str:
        """The model that the request names, or nothing."""
        return str(self.request.get("model", ""))

    @cached_property
    def request_hash(self) -> str:
        """SHA-256 of provider and request; neither prices nor `economy` make another request."""
        text = canonical_json({"provider": self.provider, "request": self.request})
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What a paid call brought, now or earlier.

    Attributes:
        body: the provider's JSON, whole.
        cost_micros: what is booked for it, once; not again when it is served from the memo.
        is_memo: it was paid for earlier and nothing was sent now.
    """

    call: int
    body: Mapping[str, Any]
    cost_micros: int
    is_memo: bool


def canonical_json(value: object) -> str:
    """Return JSON that is the same for equal values, with its text as UTF-8 would have it."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

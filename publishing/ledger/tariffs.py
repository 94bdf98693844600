"""The prices in force: rows of `Price`, which a process reads again after two seconds.

One query reads the few dozen rows that hold by the database's clock. An edit, an end or a price
that was ordered for a day therefore acts in every process within two seconds of its commit; a
model that has no price is looked for again at once, before it is refused.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from publishing.ledger.errors import UnknownPriceError
from publishing.models import Price

LIFETIME_SECONDS = 2.0

Slot = tuple[str, str, str, str]  # kind, model, size, quality
PriceList = Mapping[Slot, tuple[Price, ...]]


@dataclass(frozen=True)
class Tariff:
    """What one model costs at one moment; of an image, in one size and quality.

    Attributes:
        tiers: rows that hold at that moment, by the tokens above which they do.
    """

    model: str
    tiers: tuple[Price, ...]

    @property
    def version(self) -> str:
        """The versions of its rows, in the order of their tiers: `v3`, `v3+v1`."""
        return "+".join(f"v{tier.version}" for tier in self.tiers)

    def tier(self, prompt_tokens: int) -> Price:
        """Return the rates that a prompt of so many tokens is billed by.

        Raises:
            UnknownPriceError: only longer prompts have a price.
        """
        return self.reachable(prompt_tokens)[-1]

    def reachable(self, most_tokens: int) -> tuple[Price, ...]:
        """Return the rates that a prompt of at most so many tokens may be billed by.

        Raises:
            UnknownPriceError: only longer prompts have a price.
        """
        found = tuple(tier for tier in self.tiers if not tier.above or most_tokens > tier.above)
        if not found:
            raise UnknownPriceError(
                f"the model {self.model!r} has a price only above {self.tiers[0].above} tokens of "
                "prompt, so nothing shorter may be sent to it; add its price from 0 in the admin"
            )
        return found


def read_tariff(
    model: str,
    *,
    kind: str = Price.Kind.TEXT.value,
    size: str = "",
    quality: str = "",
    at: datetime | None = None,
) -> Tariff:
    """Return what a model costs now, or cost at an earlier moment.

    Args:
        model: exactly as the vendor names it.
        kind: of `Price.Kind`.
        size: of an image.
        quality: of an image.
        at: when the call was reserved, so that hold and bill go by the same rates; None for now.

    Raises:
        UnknownPriceError: no row holds; it names what has a price.
    """
    slot = (kind, model, size, quality)
    prices = _in_force() if at is None else _read(_valid_at(at))
    if slot not in prices and at is None:
        prices = _read_again()
    if slot not in prices:
        raise UnknownPriceError(_unknown(slot, prices))
    return Tariff(model, prices[slot])


def forget_prices() -> None:
    """Have this process read the prices again at their next use."""
    _Cache.prices = {}


class _Cache:
    """What this process last read; a mapping is replaced whole, so threads need no lock."""

    prices: PriceList = {}
    stale_at = 0.0


def _in_force() -> PriceList:
    prices = _Cache.prices
    if prices and time.monotonic() < _Cache.stale_at:
        return prices
    return _read_again()


def _read_again() -> PriceList:
    stale_at = time.monotonic() + LIFETIME_SECONDS  # before the query: what it reads is no newer
    prices = _read(_valid_at(Now()))
    _Cache.prices, _Cache.stale_at = prices, stale_at
    return prices


def _valid_at(moment: datetime | Now) -> QuerySet[Price]:
    until = Q(valid_until=None) | Q(valid_until__gt=moment)
    return Price.objects.filter(until, valid_from__lte=moment)


def _read(rows: QuerySet[Price]) -> PriceList:
    prices: dict[Slot, tuple[Price, ...]] = {}
    for row in rows.order_by("above", "pk"):
        slot = (row.kind, row.model, row.size, row.quality)
        prices[slot] = (*prices.get(slot, ()), row)
    return prices


def _unknown(slot: Slot, prices: PriceList) -> str:
    kind, model, size, quality = slot
    variants = [f"{s}, {q}".strip(", ") for k, m, s, q in prices if (k, m) == (kind, model)]
    if variants:
        asked = f"the model {model!r} has no price of an {kind} of {size}, {quality}"
        known = f"it has those of {'; '.join(sorted(variants))}"
    else:
        others = sorted({other for other_kind, other, *_ in prices if other_kind == kind})
        asked = f"the model {model!r} has no price of kind {kind} that holds now"
        known = f"those that have one are {', '.join(others) or 'none'}"
    return (
        f"{asked}, so nothing may be sent to it: {known}. Add a price in the admin, or use another"
    )

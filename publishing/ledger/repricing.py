"""Edits of prices: the open row ends and the next version begins, in one transaction.

Nothing is deleted and no figure is changed in place, so each call's stored version can be looked
up for ever. Of two who edit at once the constraints let one through; the other looks again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from publishing.models import Price

RATES = ("prompt", "answer", "cache_write_5m", "cache_write_1h", "cache_read", "image")
NEEDED: Mapping[str, tuple[str, ...]] = {
    Price.Kind.TEXT: ("prompt", "answer"),
    Price.Kind.EMBEDDING: ("prompt",),
    Price.Kind.IMAGE: ("image",),
}
_STRANGE_TO_OTHERS = 1_000  # times dearer or cheaper than any other model: units, most likely
_STRANGE_TO_ITSELF = 10  # vendors have cut prices to a fifth at once, not to a tenth


class PriceError(ValueError):
    """A price was not saved; the message says why."""


class PriceChangedError(PriceError):
    """Somebody else changed it meanwhile; nothing was saved."""


class PriceOverlapError(PriceError):
    """Two rows would hold at one moment; nothing was saved."""


class WrongPriceError(PriceError):
    """A rate is missing or below zero, or author or source are not said; nothing was saved."""


class StrangePriceError(PriceError):
    """A rate is far from all others and was not confirmed; nothing was saved."""


@dataclass(frozen=True, kw_only=True)
class NewPrice:
    """The next version of a price.

    Attributes:
        rates: nano-dollars a token, or an image, by the names in `RATES`; 0 where it is not named.
        valid_from: a moment to come; None for now.
        seen: version of the open row that the author saw; None where they saw none.
        is_confirmed: rates far from all others are meant.
    """

    kind: str
    model: str
    rates: Mapping[str, int]
    author: str
    source: str
    above: int = 0
    size: str = ""
    quality: str = ""
    batch_percent: int = 100
    valid_from: datetime | None = None
    seen: int | None = None
    is_confirmed: bool = False

    @property
    def rows(self) -> QuerySet[Price]:
        """All versions of this price."""
        return versions_of(self)


def versions_of(price: "Price | NewPrice") -> QuerySet[Price]:
    """Return all rows of which one holds at a time: the versions of one price."""
    return Price.objects.filter(
        model=price.model, above=price.above, size=price.size, quality=price.quality
    )


def save_price(new: NewPrice) -> Price:
    """End the open row and add the next version.

    Raises:
        WrongPriceError, StrangePriceError, PriceOverlapError, PriceChangedError: nothing was saved.
    """
    _refuse_wrong(new)
    doubts = list(find_doubts(new))
    if doubts and not new.is_confirmed:
        raise StrangePriceError(f"{'; '.join(doubts)}. Correct it, or confirm that it is meant")
    try:
        with transaction.atomic():
            return _replace(new)
    except IntegrityError as error:
        raise _changed(new.model) from error


def end_price(price: Price) -> None:
    """End an open row without a successor: from now on, what it was for is refused.

    Raises:
        PriceChangedError: it has ended already.
    """
    open_rows = Price.objects.filter(pk=price.pk, valid_until=None)
    # One that was to begin later never does; it ends where it would have begun.
    begun = open_rows.filter(valid_from__lte=Now()).update(valid_until=Now())
    if not begun and not _end_unbegun(open_rows, price):
        raise _changed(price.model)


def find_doubts(new: NewPrice) -> Iterator[str]:
    """Say which rates are far from this model's last ones, or from those of all others."""
    last = new.rows.filter(kind=new.kind).order_by("-version").first()
    others = list(Price.objects.filter(kind=new.kind, valid_until=None).exclude(model=new.model))
    for name in RATES:
        rate = new.rates.get(name, 0)
        before = getattr(last, name) if last else 0
        if rate and before and _is_far(rate, before, _STRANGE_TO_ITSELF):
            yield f"{_words(name)} is {_times(rate, before)} its last rate"
        known = [getattr(other, name) for other in others if getattr(other, name)]
        if rate and known and all(_is_far(rate, one, _STRANGE_TO_OTHERS) for one in known):
            nearest = min(known, key=lambda one: max(rate / one, one / rate))
            yield f"{_words(name)} is {_times(rate, nearest)} the nearest other model's"


def _replace(new: NewPrice) -> Price:
    begins = new.valid_from or _now()
    if new.valid_from and new.valid_from < _now():
        raise PriceOverlapError("a price begins now or later: what was billed stays as it was")
    ended = new.rows.filter(valid_until=None)
    if new.seen is None:
        if ended.exists():
            raise _changed(new.model)
    elif not ended.filter(version=new.seen, valid_from__lte=begins).update(valid_until=begins):
        _refuse_unbegun(ended.filter(version=new.seen).first())
        raise _changed(new.model)
    overlapped = new.rows.filter(valid_until__gt=begins).first()
    if overlapped:
        raise PriceOverlapError(
            f"version {overlapped.version} of {new.model} holds until"
            f" {overlapped.valid_until:%F %T} UTC; give that moment or a later one as the beginning"
        )
    return _add(new, begins)


def _add(new: NewPrice, begins: datetime) -> Price:
    last = new.rows.aggregate(last=Max("version"))["last"] or 0
    return Price.objects.create(
        kind=new.kind,
        model=new.model,
        version=last + 1,
        above=new.above,
        size=new.size,
        quality=new.quality,
        batch_percent=new.batch_percent,
        valid_from=begins,
        source=new.source,
        author=new.author,
        **{name: new.rates.get(name, 0) for name in RATES},
    )


def _refuse_unbegun(row: Price | None) -> None:
    if row:
        raise PriceOverlapError(
            f"version {row.version} of {row.model} begins on {row.valid_from:%F %T} UTC; end that "
            "one first, or begin at that moment or later"
        )


def _refuse_wrong(new: NewPrice) -> None:
    if not (new.model.strip() and new.author.strip() and new.source.strip()):
        raise WrongPriceError("a price names its model, its author and where it was read")
    if new.kind not in NEEDED:
        raise WrongPriceError(f"{new.kind!r} is no kind; those are {', '.join(NEEDED)}")
    if not 1 <= new.batch_percent <= 100:
        raise WrongPriceError("a batch pays 1 to 100 percent of the rates")
    for name in NEEDED[new.kind]:
        if not new.rates.get(name):
            raise WrongPriceError(f"{_words(name)} is missing; nothing that is paid is free")
    for name, rate in new.rates.items():
        if name not in RATES or rate < 0:
            raise WrongPriceError(f"{_words(name)} is {rate}; a rate is 0 or more")
    if Price.objects.filter(model=new.model).exclude(kind=new.kind).exists():
        raise WrongPriceError(f"{new.model} has a price of another kind; a model has one kind")
    _refuse_misfit(new)


def _refuse_misfit(new: NewPrice) -> None:
    is_image = new.kind == Price.Kind.IMAGE
    if is_image != bool(new.size):
        raise WrongPriceError("a price of an image names its size, and no other price has one")
    if new.quality and not is_image:
        raise WrongPriceError("only a price of an image has a quality")
    if new.above and new.kind != Price.Kind.TEXT:
        raise WrongPriceError("only prices of text go by the length of the prompt")
    below = Q(model=new.model, above=0, valid_until=None)
    if new.above and not Price.objects.filter(below).exists():
        raise WrongPriceError(f"{new.model} has no price from 0 tokens on; add that one first")


def _end_unbegun(open_rows: QuerySet[Price], price: Price) -> int:
    return open_rows.filter(valid_from=price.valid_from).update(valid_until=price.valid_from)


def _changed(model: str) -> PriceChangedError:
    return PriceChangedError(
        f"the price of {model} was changed by somebody else meanwhile; nothing was saved. Look at "
        "it again"
    )


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        now: datetime = cursor.fetchone()[0]
    return now


def _is_far(rate: int, other: int, times: int) -> bool:
    return rate >= other * times or other >= rate * times


def _times(rate: int, other: int) -> str:
    return f"{rate / other:,.0f} times" if rate >= other else f"1/{other / rate:,.0f} of"


def _words(name: str) -> str:
    return name.replace("_", " ")

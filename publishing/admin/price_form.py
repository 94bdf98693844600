"""A price as people know it: dollars per million tokens, or dollars an image."""

from decimal import Decimal
from typing import Any

from django import forms

from publishing.ledger.repricing import NEEDED, RATES, NewPrice
from publishing.models import Price

# A rate is kept in nano-dollars: a dollar per million tokens is a thousand of them a token.
NANOS_OF_MILLION = 1_000
NANOS_OF_IMAGE = 1_000_000_000

_LABELS = {
    "prompt": "Input",
    "answer": "Output",
    "cache_write_5m": "Cache write, 5 minutes",
    "cache_write_1h": "Cache write, 1 hour",
    "cache_read": "Cache read",
    "image": "An image",
}
_KINDS = {
    "text": ("prompt", "answer", "cache_write_5m", "cache_write_1h", "cache_read"),
    "embedding": ("prompt",),
    "image": ("image", "prompt", "answer"),
}


class PriceForm(forms.Form):
    """The next version of a price, or the first; it carries the version that its author saw."""

    kind = forms.ChoiceField(choices=Price.Kind.choices)
    model = forms.CharField(max_length=80, help_text="Exactly as the vendor names it.")
    above = forms.IntegerField(
        label="Above tokens of prompt", initial=0, min_value=0, max_value=10_000_000,
        help_text="Of a text: these rates hold for every token of a longer prompt; 0 for all.",
    )  # fmt: skip
    size = forms.CharField(max_length=20, required=False, help_text="Of an image: 1024x1024.")
    quality = forms.CharField(max_length=20, required=False, help_text="Of an image: medium.")
    batch_percent = forms.IntegerField(
        label="A batch pays, percent", initial=100, min_value=1, max_value=100
    )
    valid_from = forms.DateTimeField(
        label="From (UTC)", required=False, help_text="Empty for now. Earlier is refused."
    )
    source = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text="Where the figures were read, and when.",
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(label="These figures are meant", required=False)

    def __init__(self, data: Any = None, *, price: Price | None = None, kind: str = "") -> None:
        super().__init__(data, initial=_initial(price, kind))
        self.price = price
        chosen = price.kind if price else str((data or {}).get("kind") or kind or "text")
        for name in _KINDS.get(chosen, _KINDS["text"]):
            self.fields[name] = _rate_field(name, is_needed=name in NEEDED.get(chosen, ()))
        if price:
            for name in ("kind", "model", "above", "size", "quality"):
                del self.fields[name]
        elif chosen in _KINDS:
            self.fields["kind"].widget = forms.HiddenInput()
            for name in ("above",) if chosen != "text" else ("size", "quality"):
                self.fields[name].widget = forms.HiddenInput()
        if not data:
            del self.fields["confirmed"]  # it is asked once there is something to confirm
        last = ("batch_percent", "valid_from", "source", "confirmed", "seen")
        first = [name for name in self.fields if name not in last]
        self.order_fields([*first, *last])

    def to_price(self, author: str) -> NewPrice:
        """Return what was typed, in nano-dollars."""
        typed = self.cleaned_data
        slot = self.price or NewPrice(
            kind=typed["kind"], model=typed["model"].strip(), above=typed["above"],
            size=typed["size"].strip(), quality=typed["quality"].strip(),
            rates={}, author="", source="",
        )  # fmt: skip
        return NewPrice(
            kind=slot.kind,
            model=slot.model,
            above=slot.above,
            size=slot.size,
            quality=slot.quality,
            rates={
                name: int((typed.get(name) or 0) * _scale(name))
                for name in RATES
                if name in self.fields
            },
            batch_percent=typed["batch_percent"],
            valid_from=typed["valid_from"],
            author=author,
            source=typed["source"],
            seen=typed["seen"],
            is_confirmed=bool(typed.get("confirmed")),
        )


def dollars(name: str, nanos: int) -> str:
    """Return a rate as the form takes it: `0.1`, `10`, `0.000652`."""
    text = f"{Decimal(nanos) / _scale(name):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rates_of(price: Price) -> list[tuple[str, str]]:
    """Return the rates that a price has, in dollars, with their names."""
    return [
        (_LABELS[name], dollars(name, getattr(price, name)))
        for name in _KINDS.get(price.kind, RATES)
    ]


def _rate_field(name: str, *, is_needed: bool) -> forms.DecimalField:
    unit = "dollars an image" if name == "image" else "dollars per million tokens"
    return forms.DecimalField(
        label=f"{_LABELS[name]}, {unit}",
        min_value=0,
        max_value=100_000,
        decimal_places=9 if name == "image" else 3,
        required=is_needed,
        # As text: a number field would show 0.000000652 as 6.52e-7 in some browsers.
        widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 12}),
    )


def _scale(name: str) -> int:
    return NANOS_OF_IMAGE if name == "image" else NANOS_OF_MILLION


def _initial(price: Price | None, kind: str) -> dict[str, Any]:
    if price is None:
        return {"kind": kind or "text"}
    rates = {name: dollars(name, getattr(price, name)) for name in RATES}
    is_open = price.valid_until is None
    return rates | {
        "batch_percent": price.batch_percent, "seen": price.version if is_open else None
    }  # fmt: skip

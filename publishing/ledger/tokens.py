"""The tokens that vendors say a call came to, as Python reads them and as a statement does.

A vendor may say anything: what is no number, or an absurd one, counts as none in both.
"""

from collections.abc import Mapping
from typing import Any

_ABSURD = 10**12  # tokens; a usage that says more is no count
_TOKENS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ),
    "cached_tokens": ("cache_read_input_tokens",),
    "output_tokens": ("output_tokens",),
}


def tokens_of(usage: Mapping[str, Any] | None) -> dict[str, int]:
    """Return tokens in, of those cached, and out; what the vendor did not say is 0."""
    said = usage if isinstance(usage, Mapping) else {}
    counted = {key: sum(_count(said.get(name)) for name in names) for key, names in _TOKENS.items()}
    if "input_tokens" not in said:
        counted["input_tokens"] += _count(said.get("total_tokens"))  # all that embeddings say
    return counted


def is_count(value: object) -> bool:
    """Whether a vendor's figure is a number of tokens that a bill can be made of."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ABSURD


def sql_tokens(key: str) -> str:
    """Return the expression of what `tokens_of` returns under the key, of the column `usage`."""
    said = " + ".join(map(_sql_count, _TOKENS[key]))
    if key != "input_tokens":
        return said
    return f"{said} + case when usage ? 'input_tokens' then 0 else {_sql_count('total_tokens')} end"


def _count(value: object) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < _ABSURD else 0  # type: ignore[operator,call-overload]


def _sql_count(name: str) -> str:
    return (
        f"case when jsonb_typeof(usage -> '{name}') = 'number' then"
        f" case when (usage ->> '{name}')::numeric between 0 and {_ABSURD - 1}"
        f" then trunc((usage ->> '{name}')::numeric)::bigint else 0 end else 0 end"
    )

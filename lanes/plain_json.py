"""What graphs and options are made of: JSON that Postgres and TOML can hold alike."""

import math
from typing import Any

from workflows.errors import ContractError

NESTED_MAX = 20  # objects and lists within one another; an option has one or two


def read_entries(given: object, *, path: str) -> list[dict[str, Any]]:
    """Return a graph's entries, or raise ContractError with the path of what cannot be one."""
    if not isinstance(given, list):
        raise ContractError(path, 'is a list of entries, such as [{"step": "validate"}]')
    for position, entry in enumerate(given):
        at = f"{path}[{position}]"
        if not isinstance(entry, dict):
            raise ContractError(at, 'is an object, such as {"step": "validate"}')
        _refuse_odd(entry, at)
        if not isinstance(entry.get("step", ""), str):
            raise ContractError(f"{at}.step", "is the name of a step, as text")
    return given


def read_options(given: object) -> dict[str, dict[str, Any]]:
    """Return options by entry, or raise ContractError with the path of what cannot be one."""
    if not isinstance(given, dict):
        raise ContractError("options", 'is an object, such as {"ground": {"passes": 2}}')
    for name, options in given.items():
        if not isinstance(options, dict):
            raise ContractError(f"options.{name}", 'is an object of options: {"passes": 2}')
    _refuse_odd(given, "options")
    return given


def _refuse_odd(value: object, path: str, depth: int = 0) -> None:
    if depth > NESTED_MAX:
        raise ContractError(path, f"is nested more than {NESTED_MAX} deep")
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_odd(name, path)
            _refuse_odd(inner, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _refuse_odd(inner, f"{path}[{position}]", depth + 1)
    else:
        _refuse_odd_scalar(value, path)


def _refuse_odd_scalar(value: object, path: str) -> None:
    if value is None:
        raise ContractError(path, "is null; leave it out for its default")
    if isinstance(value, str):
        _refuse_unstorable(value, path)
    elif not isinstance(value, bool | int | float):
        raise ContractError(path, f"is a {type(value).__name__}; write it as text in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ContractError(path, f"is {value}, which JSON has no number for")


def _refuse_unstorable(value: str, path: str) -> None:
    if "\x00" in value:
        raise ContractError(path.replace("\x00", ""), "contains NUL, which no text may")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ContractError(path, "contains half a character (a lone surrogate)") from None

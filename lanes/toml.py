"""Write the lanes' file: TOML 1.0 for the few shapes that it has (tomllib only reads)."""

import json
import re
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_WIDTH = 100


def write_lanes(lanes: list[dict[str, Any]]) -> str:
    """Return the file's text; reading it gives the same lanes."""
    return "\n\n".join(_table("lane", lane, is_item=True) for lane in lanes)


def _table(path: str, table: dict[str, Any], *, is_item: bool = False) -> str:
    """Return a table with its plain values first, then its tables and lists of tables."""
    lines = [f"[[{path}]]" if is_item else f"[{path}]"]
    parts: list[str] = []
    for name, value in table.items():
        inner = f"{path}.{_key(name)}"
        if isinstance(value, dict):
            parts.append(_table(inner, value))
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            parts += [_table(inner, item, is_item=True) for item in value]
        else:
            lines.append(f"{_key(name)} = {_value(value)}")
    return "\n".join(["\n".join(lines) + "\n", *parts])


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _basic(name)


def _value(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return _list([_value(item) for item in value])
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _list(items: list[str]) -> str:
    in_one_line = f"[{', '.join(items)}]"
    if len(in_one_line) <= _WIDTH:
        return in_one_line
    return "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _string(value: str) -> str:
    if "\n" in value:
        return '"""\n' + _escaped(value).replace('"""', '\\"\\"\\"') + _closing(value)
    if "\\" in value and "'" not in value and not _CONTROL.search(value):
        return f"'{value}'"  # literal: a regular expression stays as it was typed
    return _basic(value)


def _closing(value: str) -> str:
    # A quote before the closing three would be read as one of them.
    return '\\\n"""' if value.endswith('"') else '"""'


def _basic(value: str) -> str:
    return '"' + _escaped(value).replace('"', '\\"') + '"'


def _escaped(value: str) -> str:
    return _CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", value.replace("\\", "\\\\"))

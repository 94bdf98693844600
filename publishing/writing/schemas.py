"""The JSON schema of a contract, in the words that the Messages API takes for an answer.

Structured outputs know objects with named keys, all of them required, lists, unions, enums and
plain values (platform docs, structured outputs; `transform_schema` of SDK 2.12). They know no
bounds and no patterns: those are told in the description, and hold when the answer is read.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema

from workflows.contracts import Contract

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_PLAIN = frozenset({"string", "integer", "number", "boolean", "null"})
_DROPPED = frozenset({"title", "default", "examples", "required", "$defs", "discriminator"})


class InexpressibleError(ValueError):
    """The contract holds something that no answer's schema can say; with where."""


def schema_of(contract: type[Contract], *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of the contract's JSON, but for some of its fields.

    Raises:
        InexpressibleError: a field is free in its keys, its type or its depth.
    """
    try:
        whole = contract.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise InexpressibleError(f"{contract.__name__} has no JSON schema: {error}") from error
    defs = whole.get("$defs", {})
    name = str(whole.get("$ref", "")).removeprefix("#/$defs/")
    root = defs[name] if name else whole  # one that holds itself is a definition, too
    named = root["properties"]
    kept = {field: schema for field, schema in named.items() if field not in without}
    return _Transform(defs).of(root | {"properties": kept}, contract.__name__, (name,))


class _Transform:
    """One contract's schema as it is rewritten, with its definitions put in their places."""

    def __init__(self, defs: Mapping[str, Any]) -> None:
        self._defs = defs

    def of(self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]) -> dict[str, Any]:
        if "$ref" in schema:
            return self._referred(schema, path, within)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                variants = [self.of(each, path, within) for each in schema[word]]
                return _described({"anyOf": variants}, schema, taken={word})
        if "enum" in schema or "const" in schema:
            words = {word: schema[word] for word in ("enum", "const") if word in schema}
            return _described(words, schema, taken={*words, "type"})
        return self._typed(schema, path, within)

    def _referred(
        self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]
    ) -> dict[str, Any]:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in within:
            raise InexpressibleError(f"{path} holds itself, to any depth")
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        return self.of(self._defs[name] | beside, path, (*within, name))

    def _typed(
        self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]
    ) -> dict[str, Any]:
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, path, within)
        if kind == "array":
            return self._array(schema, path, within)
        if kind not in _PLAIN:
            raise InexpressibleError(f"{path} may be of any type")
        if schema.get("format") in _FORMATS:
            made = {"type": kind, "format": schema["format"]}
            return _described(made, schema, taken={"type", "format"})
        return _described({"type": kind}, schema, taken={"type"})

    def _object(
        self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]
    ) -> dict[str, Any]:
        if schema.get("additionalProperties", "properties" not in schema) is not False:
            raise InexpressibleError(f"{path} is free in its keys")
        properties = {
            name: self.of(inner, f"{path}.{name}", within)
            for name, inner in schema["properties"].items()
        }
        made = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return _described(made, schema, taken={"type", "properties", "additionalProperties"})

    def _array(
        self, schema: Mapping[str, Any], path: str, within: tuple[str, ...]
    ) -> dict[str, Any]:
        if "prefixItems" in schema:
            raise InexpressibleError(f"{path} is a list whose places differ in type")
        if "items" not in schema:
            raise InexpressibleError(f"{path} is a list of anything")
        made = {"type": "array", "items": self.of(schema["items"], f"{path}[]", within)}
        return _described(made, schema, taken={"type", "items"})


def _described(
    made: dict[str, Any], schema: Mapping[str, Any], *, taken: Collection[str]
) -> dict[str, Any]:
    """Return what was made, with the description, and in it what the schema cannot say."""
    left = {
        word: value
        for word, value in schema.items()
        if word not in _DROPPED and word not in taken and word != "description"
    }
    told = ", ".join(f"{word}: {value}" for word, value in left.items())
    texts = [schema.get("description", ""), f"({told})" if told else ""]
    description = " ".join(text for text in texts if text)
    return made | ({"description": description} if description else {})

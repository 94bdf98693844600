"""Vectors by a paid model: what is asked for, and what the answer holds.

The column of vectors is 384 wide, and no model of Voyage gives that: 256 are asked for and zeros
put behind them, which changes no cosine. Cutting 512 down to 384 would: the models are trained to
be cut at 256 and 512, not between.
"""

import base64
import binascii
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from publishing.models import EMBEDDING_SIZE

DIMENSIONS = 256
MOST_TEXTS = 100  # of one request
# Some scripts have no spaces, so that a whole section is one word. A byte is at most a token, and
# the models read 32,000 tokens; a chunk of 200 words has about 1,300 characters.
MOST_CHARACTERS = 8_000
_VECTOR = struct.Struct(f"<{DIMENSIONS}f")


class VectorsError(ValueError):
    """A paid answer does not hold the vectors that were asked for."""


def embedder_in_use() -> str:
    """Return the name under which the paid model's vectors are stored."""
    return f"{settings.EMBEDDING_MODEL}-{DIMENSIONS}"


def build_request(texts: Sequence[str]) -> dict[str, Any]:
    """Return the request for the vectors of up to 100 texts, in their order."""
    return {
        "model": settings.EMBEDDING_MODEL,
        "input": [text[:MOST_CHARACTERS].strip() or "-" for text in texts],
        "input_type": "document",
        "output_dimension": DIMENSIONS,
        "truncation": False,
        "encoding_format": "base64",
    }


def read_vectors(answer: Mapping[str, Any], count: int) -> list[list[float]]:
    """Return the answer's vectors: `EMBEDDING_SIZE` numbers each, of length 1, in order.

    Raises:
        VectorsError: there are not `count` of them, or one cannot be read.
    """
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise VectorsError("the answer has no list of vectors")
    by_index = {row.get("index"): row.get("embedding") for row in rows}
    if len(rows) != count or by_index.keys() != set(range(count)):
        raise VectorsError(f"the answer has {len(rows)} vectors, and {count} texts were sent")
    return [_read_vector(by_index[number]) for number in range(count)]


def _read_vector(text: object) -> list[float]:
    try:
        numbers = _VECTOR.unpack(base64.b64decode(str(text), validate=True))
    except (binascii.Error, ValueError, struct.error) as error:
        raise VectorsError(f"a vector is not {DIMENSIONS} numbers in base64") from error
    length = math.hypot(*numbers)
    if not math.isfinite(length) or length == 0:
        raise VectorsError("a vector has no direction")
    padding = [0.0] * (EMBEDDING_SIZE - DIMENSIONS)
    return [number / length for number in numbers] + padding

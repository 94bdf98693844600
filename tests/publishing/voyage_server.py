"""Voyage's API, spoken over real HTTP; point VOYAGE_BASE_URL at its `url`."""

import base64
import hashlib
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.publishing.anthropic_server import AnthropicServer, Exchange, Script, serve_anthropic

TOKENS = 10  # that a text costs here


def vector_of(text: str, dimensions: int) -> list[float]:
    """Return numbers that are the same for equal text."""
    bits = hashlib.shake_256(text.encode()).digest(dimensions)
    return [float(bit - 127.5) for bit in bits]


def embeddings_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Voyage answers to a request."""
    size = body["output_dimension"]
    rows = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(
                struct.pack(f"<{size}f", *vector_of(text, size))
            ).decode(),
        }
        for index, text in enumerate(body["input"])
    ]
    usage = {"total_tokens": TOKENS * len(rows)}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}


def embeds(exchange: Exchange) -> None:
    """Answer 200 with vectors."""
    exchange.reply(200, embeddings_of(exchange.body))


@contextmanager
def serve_voyage(script: Script = embeds) -> Iterator[AnthropicServer]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    with serve_anthropic(script) as server:
        yield server

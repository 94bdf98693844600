"""The images of Workers AI and OpenAI, spoken over real HTTP."""

import base64
import io
from typing import Any

from PIL import Image

from tests.publishing.anthropic_server import Exchange


def jpeg(side: int = 1024, colour: str = "teal") -> bytes:
    """Return a square picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def of_workers_ai(body: bytes) -> dict[str, Any]:
    """Return the picture as Workers AI answers it."""
    image = {"image": base64.b64encode(body).decode()}
    return {"result": image, "success": True, "errors": [], "messages": []}


def of_openai(body: bytes, **usage: Any) -> dict[str, Any]:
    """Return the picture as OpenAI answers it."""
    counts = {"input_tokens": 100, "output_tokens": 1_756, "total_tokens": 1_856}
    image = {"b64_json": base64.b64encode(body).decode()}
    return {"created": 1, "data": [image], "usage": counts | usage}


def draws(exchange: Exchange) -> None:
    """Answer 200 with a picture, in the words of whoever's path was asked."""
    shape = of_openai if exchange.path.endswith("/images/generations") else of_workers_ai
    exchange.reply(200, shape(jpeg()))

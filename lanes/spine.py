"""The shared graph: eight stages, and the standing `until` before publish.

An option written as `{"lane": "hue"}` is filled from the lane's own row at dispatch.
"""

from typing import Any

WORKFLOW = "publish"  # of every lane: a brief_id is used once in all of them

SPINE: list[dict[str, Any]] = [
    {"step": "validate"},
    {"step": "ground"},
    {"step": "generate"},
    {"step": "clean"},
    {"step": "persist"},
    {"step": "index"},
    {"step": "cover", "options": {"hue": {"lane": "hue"}, "folio": {"lane": "title"}}},
    {"name": "publish_at", "until": "/brief/publish_at"},
    {"step": "publish"},
]

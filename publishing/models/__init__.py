"""The rows of the publishing platform, by what they are about."""

from publishing.models.articles import Article, Chunk, Revision, Source
from publishing.models.briefs import EMBEDDING_SIZE, Brief, Slug, Text
from publishing.models.money import BlockedModel, Bucket, Call, Cap, ClearedBlock, Regeneration
from publishing.models.prices import Price
from publishing.models.reviews import Approval, Review
from publishing.models.routines import Routine, RoutineKey

__all__ = [
    "EMBEDDING_SIZE",
    "Approval",
    "Article",
    "BlockedModel",
    "Brief",
    "Bucket",
    "Call",
    "Cap",
    "Chunk",
    "ClearedBlock",
    "Price",
    "Regeneration",
    "Review",
    "Revision",
    "Routine",
    "RoutineKey",
    "Slug",
    "Source",
    "Text",
]

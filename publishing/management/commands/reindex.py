"""`manage.py reindex`: cut and embed articles anew, after a change of chunks or embedder."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from publishing.models import Article, Revision
from publishing.providers.embeddings import EMBEDDER
from publishing.stages.index import embedded_pieces, replace_chunks


class Command(BaseCommand):
    """Replace the chunks of all articles, or of those named; safe to run twice and at once."""

    help = "Cut and embed articles anew: all of them, or those whose slugs are given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add slugs, --batch and --json."""
        parser.add_argument("slugs", nargs="*", help="addresses of articles; none means all")
        parser.add_argument("--batch", type=int, default=100, help="articles read at a time (100)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reindex and print the counts."""
        if options["batch"] < 1:
            raise CommandError("--batch must be at least 1.")
        if settings.VOYAGE_API_KEY:
            raise CommandError(
                "VOYAGE_API_KEY is set, so vectors are paid for, and this command would put the "
                "embedded embedder's in their place. Pay again for one article with regenerate "
                "from its index stage, or unset the key. Nothing was changed."
            )
        counts = {"articles": 0, "chunks": 0, "superseded": 0}
        for batch in _batches(_ids_of(options["slugs"]), options["batch"]):
            for revision in batch:
                _reindex(revision, counts)
            if not options["json"]:
                self.stdout.write(f"{counts['articles']} articles, {counts['chunks']} chunks")
        self._print(counts, as_json=options["json"])

    def _print(self, counts: dict[str, int], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(counts | {"embedder": EMBEDDER}))
            return
        self.stdout.write(
            f"Done with {EMBEDDER}: {counts['articles']} articles, {counts['chunks']} chunks, "
            f"{counts['superseded']} left to their newer revision."
        )


def _ids_of(slugs: list[str]) -> list[int]:
    articles = Article.objects.filter(revisions__isnull=False).distinct()
    if not slugs:
        return list(articles.order_by("pk").values_list("pk", flat=True))
    found = dict(articles.filter(slug__in=slugs).values_list("slug", "pk"))
    if missing := sorted(set(slugs) - set(found)):
        raise CommandError(
            f"No article with a text has the address {', '.join(missing)}. Nothing was changed."
        )
    return sorted(found.values())


def _batches(ids: list[int], size: int) -> Iterator[list[Revision]]:
    """Yield the last revision of each article: what the index stage has read, live or not."""
    last = Revision.objects.order_by("article", "-number").distinct("article")
    for start in range(0, len(ids), size):
        yield list(last.filter(article__in=ids[start : start + size]))


def _reindex(revision: Revision, counts: dict[str, int]) -> None:
    pieces = embedded_pieces(revision.title, revision.summary, revision.body)
    if replace_chunks(revision.article_id, pieces, only_if_last=revision.pk):
        counts["articles"] += 1
        counts["chunks"] += len(pieces)
    else:
        counts["superseded"] += 1

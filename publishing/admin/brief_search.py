"""Briefs by what an operator remembers of one: the beginning of its ID, or words of its title."""

import re

from django.contrib.postgres.search import SearchQuery

from publishing.models import Brief
from publishing.models.briefs import TITLE_WORDS

MOST = 1_000  # the newest, of each kind; who finds more says more

_WORD = re.compile(r"\w+")


def find_briefs(term: str) -> list[int]:
    """Return the newest briefs' primary keys that the term may mean; both ways have an index.

    Every word must be in the title, or begin a word that is; `publish-` before an ID is left off.
    """
    by_id = Brief.objects.filter(brief_id__startswith=term.removeprefix("publish-"))
    found = set(by_id.order_by("-pk").values_list("pk", flat=True)[:MOST])
    words = " & ".join(f"{word}:*" for word in _WORD.findall(term))
    if words:
        query = SearchQuery(words, config="simple", search_type="raw")
        titled = Brief.objects.alias(title_words=TITLE_WORDS).filter(title_words=query)
        found.update(titled.order_by("-pk").values_list("pk", flat=True)[:MOST])
    return sorted(found)

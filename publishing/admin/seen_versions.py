"""Two editors at once: what one saw is still in use when it acts, or the act is refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from lanes.models import Lane
from lanes.storing import lock_lane


class SupersededError(Exception):
    """Another version was put to use since the page was made; nothing changed.

    Attributes:
        now: the id of the version in use, 0 for none.
    """

    def __init__(self, lane: Lane, kind: str) -> None:
        version = getattr(lane, kind)
        use = lane.uses.filter(kind=kind).select_related("author").first()
        who = use.author.get_username() if use and use.author else "a command"
        what = f"Version {version.version} of the {kind}" if version else "The spine"
        self.now: int = version.pk if version else 0
        super().__init__(f"{what} was put to use by {who} meanwhile")


@contextmanager
def still_in_use(lane: Lane, kind: str, seen: str) -> Iterator[Lane]:
    """Hold the lane's row, in a transaction, while the version that somebody saw is in use.

    Args:
        lane: whose row.
        kind: `bundle`, `options` or `graph`.
        seen: the id of the version that was in use then, 0 for none.

    Raises:
        SupersededError: it is another one now.
    """
    with transaction.atomic():
        locked = lock_lane(lane)
        if str(getattr(locked, f"{kind}_id") or 0) != seen:
            raise SupersededError(locked, kind)
        yield locked

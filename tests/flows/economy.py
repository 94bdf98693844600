"""A town whose texts are ordered at half price, and the statements that only this writes with."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db.models.functions import Now

from lanes.versions import save_options
from tests.flows.nursery import nursery
from tests.flows.paying import ARTICLE, UP_TO_TEXT, Town
from tests.flows.processes import environment, kill
from tests.publishing.batch_server import BatchServer, serve_batches
from tests.workflows.conftest import is_in
from workflows.models import Instance, Reason, Status

ECONOMY = {"ledger.note_batch", "ledger.forget_order"}


@dataclass
class EconomyTown(Town):
    """Workers that order texts of a batch server."""

    batches: BatchServer | None = None

    @property
    def vendor(self) -> BatchServer:
        """The server that takes batches."""
        assert self.batches is not None
        return self.batches

    def prepare(self) -> None:
        """Make the lanes anew, with economy, and let each batch end as soon as it is there."""
        super().prepare()
        save_options(self.lanes["news"], {"generate": {"economy": True}})
        self.vendor.batches.clear()
        self.vendor.seen.clear()
        self.vendor.submit, self.vendor.on_submit = "answers", None
        self.vendor.ends = {"content": ARTICLE}

    def requests(self) -> Counter[str]:
        """Return how many batches were submitted: all else is free."""
        return Counter({"generate": self.vendor.submits})

    def order_text(self, brief_id: str) -> Instance:
        """Take a brief in whose instance ends with its text."""
        return self.order(brief_id, entries=UP_TO_TEXT)

    def kill_when_submitted(self) -> None:
        """Have a worker die once the vendor has its submit, and no answer went out."""
        victim = self.nursery.drain("", threads=2)
        self.vendor.on_submit = lambda: kill(victim.pid)
        self.see_dead(victim)
        self.vendor.on_submit = None


def is_complete(instance: Instance) -> bool:
    """Whether it is complete; if it waits for a batch or a retry, it is made due."""
    _make_due(instance, Reason.CALL, Reason.RETRY)
    return is_in(instance, Status.COMPLETE)


def is_ordered(instance: Instance) -> bool:
    """Whether it waits for its batch; what a death has put back is made due."""
    _make_due(instance, Reason.RETRY)
    return is_in(instance, Status.WAITING) and instance.reason == Reason.CALL


def _make_due(instance: Instance, *reasons: Reason) -> None:
    waiting = Instance.objects.filter(pk=instance.pk, status=Status.WAITING, reason__in=reasons)
    waiting.update(due_at=Now(), wake_at=Now())


@contextmanager
def found_economy_town(media: Path) -> Iterator[EconomyTown]:
    """Start the server, and the process that forks workers which order of it."""
    with serve_batches() as vendor:
        ordering = {
            "DJANGO_SETTINGS_MODULE": "publishing.settings",  # those of the tests never pay
            "DATA_DIR": str(media),
            "WORKFLOWS_LEASE_SECONDS": "60",
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": vendor.url,
        }
        with nursery(environment(**ordering)) as running:
            yield EconomyTown(running, {}, batches=vendor)

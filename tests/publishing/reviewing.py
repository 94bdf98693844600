"""What tests of reviews share: a lane with a policy, briefs that run, and what became of them."""

from typing import Any

from lanes.models import Lane
from lanes.versions import read_specs, save_bundle, save_options
from publishing.intake.submit import Sender, submit_brief
from publishing.models import Article, Revision
from tests.workflows.conftest import is_in, standing_drain, wait_until
from workflows.models import Instance, Status

HYPE = {"text": "Hype.", "why": "It tires.", "severity": "flag", "pattern": r"\bhuge\b"}
STOPPED = (Status.COMPLETE, Status.ERRORED, Status.TERMINATED)


def make_lane(policy: str | None, **options: dict[str, Any]) -> Lane:
    """Return a lane that does not print hype, with a review policy."""
    lane = Lane.objects.create(name="news", title="News", hue=25)
    specs = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(lane, read_specs(specs | {"anti_patterns": [HYPE]}))
    if policy:
        save_options(lane, {"review": {"policy": policy}} | options)
    return Lane.objects.get(pk=lane.pk)


def send(lane: Lane, brief_id: str = "b", *, notes: str = "The clocks agree at last.") -> Instance:
    """Post a brief without sources, of which the offline author makes an article."""
    body = {"brief_id": brief_id, "lane": lane.name, "title": f"On {brief_id}",
            "summary": f"What {brief_id} says.", "notes": notes}  # fmt: skip
    sender = Sender(trigger="command", lanes=frozenset([lane.name]))
    return Instance.objects.get(pk=submit_brief(body, sender).brief.instance_id)


def run(*instances: Instance) -> None:
    """Drive the instances until each has ended or waits for an event."""
    with standing_drain():
        for instance in instances:
            wait_until(lambda one=instance: _rests(one))  # type: ignore[misc]


def article_of(instance: Instance) -> Article:
    """Return the article that the instance made."""
    return Article.objects.get(brief__instance=instance)


def revision_of(instance: Instance) -> Revision:
    """Return the newest revision that the instance stored."""
    return Revision.objects.filter(article__brief__instance=instance).latest("number")


def _rests(instance: Instance) -> bool:
    if is_in(instance, *STOPPED):
        return True
    return instance.status == Status.WAITING and instance.due_at is None

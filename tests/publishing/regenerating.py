"""A brief's finished instance whose lane is on its second bundle since, to be paid for again."""

from datetime import UTC, datetime

from lanes.models import Bundle, Lane
from lanes.versions import Specs, save_bundle
from publishing.models import Brief, Call
from tests.publishing.spending import call_row
from workflows.dispatch import create_instance
from workflows.graphs import store_graph
from workflows.models import Instance, Reason, Status

ID = "publish-b1"
STEPS = [{"step": name} for name in ("validate", "ground", "generate", "clean", "persist")]
THEN, NOW = "a" * 64, "b" * 64  # the hashes of the request that was paid, and of the present one


def finished_brief(key: str = "b1") -> Instance:
    """Return a complete instance, written under version 1 of two."""
    lane, _ = Lane.objects.get_or_create(name="paper", defaults={"title": "Paper", "hue": 25})
    if not lane.bundles.exists():
        for voice in ("Plain.", "Plainer."):
            save_bundle(lane, Specs(voice=voice, audience="Readers.", brief_hints="Short."))
    bundle = Bundle.objects.get(lane=lane, version=1)
    pk = create_instance(
        workflow="publish", key=key, partition="paper", trigger="command",
        graph=store_graph(STEPS, workflow="publish").pk,
        envelope={"brief": {}, "lane": "paper", "bundle": bundle.pk},
    )  # fmt: skip
    Brief.objects.create(
        brief_id=key, lane=lane, instance_id=pk, bundle=bundle, payload={"title": "A size"}
    )
    Instance.objects.filter(pk=pk).update(
        status=Status.COMPLETE, position=5, due_at=None, started_at=datetime.now(UTC)
    )
    return Instance.objects.get(pk=pk)


def waiting_with_paid_answer(key: str = "b1") -> tuple[Instance, Call]:
    """Return an instance that waits because its paid request has changed, and the call."""
    instance = finished_brief(key)
    call = call_row(
        key, lane="paper", request_hash=THEN, answer={"content": []}, cost_micros=7_000,
        created_at=datetime.now(UTC), key=f"{key}/generate/0/body",
    )  # fmt: skip
    park(instance, {"call": call.pk, "paid_micros": 7_000, "request_hash": NOW})
    return Instance.objects.get(pk=instance.pk), call


def park(instance: Instance, data: dict[str, object], *, reason: str = Reason.OPERATOR) -> None:
    """Leave the instance as the runner leaves one whose generate parked with this data."""
    error = {"type": "Park", "message": "it waits for a person", "data": data}
    Instance.objects.filter(pk=instance.pk).update(
        status=Status.WAITING, position=2, reason=reason, due_at=None, error=error
    )

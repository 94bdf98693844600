"""Regenerate: once for one wish, under new keys, the same brief's cap, and the chosen bundle."""

import pytest

from lanes.models import Bundle, Lane
from lanes.versions import Specs, save_bundle
from publishing import ledger
from publishing.ledger import regeneration_in_force
from publishing.models import Brief, Call, Cap, Regeneration
from publishing.regeneration import (
    BundleChoice,
    TooDearError,
    estimate_regeneration,
    regenerate,
)
from publishing.stages.generate import GenerateOptions, worst_case
from tests.publishing.anthropic_server import AnthropicServer
from tests.publishing.paying import at_once, books, call_for
from workflows.dispatch import create_instance
from workflows.errors import ContractError, VerbRefusedError
from workflows.graphs import store_graph
from workflows.models import Instance, LogEntry, Status

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("caps", "anthropic_server"),
]

ID = "publish-b1"
STEPS = [{"step": name} for name in ("validate", "ground", "generate", "clean", "persist")]


@pytest.fixture
def instance() -> Instance:
    """Return a finished brief's instance; its lane is on its second bundle since."""
    lane = Lane.objects.create(name="paper", title="Paper")
    save_bundle(lane, specs("Plain."))
    bundle = Bundle.objects.get(lane=lane, version=1)
    save_bundle(lane, specs("Plainer."))
    pk = create_instance(
        workflow="publish",
        key="b1",
        partition="paper",
        graph=store_graph(STEPS, workflow="publish").pk,
        envelope={"brief": {}, "lane": "paper", "bundle": bundle.pk},
        trigger="command",
    )
    Brief.objects.create(
        brief_id="b1", lane=lane, instance_id=pk, bundle=bundle, payload={"title": "x"}
    )
    Instance.objects.filter(pk=pk).update(status=Status.COMPLETE, position=5, due_at=None)
    return Instance.objects.get(pk=pk)


def specs(voice: str) -> Specs:
    return Specs(voice=voice, audience="Readers.", brief_hints="Short.")


def again(
    entry: str = "generate", *, bundle: BundleChoice = "same", generation: int = 1
) -> Regeneration:
    return regenerate(ID, entry, actor="ann", why="too long", bundle=bundle, generation=generation)


def number_of(entry: str, generation: int) -> int:
    return regeneration_in_force("b1", entry=entry, generation=generation).number


def nothing_changed(instance: Instance) -> bool:
    before = instance.generation, instance.position, instance.status
    instance.refresh_from_db()
    return (
        (instance.generation, instance.position, instance.status) == before
        and not Regeneration.objects.exists()
        and not LogEntry.objects.filter(actor="ann").exists()
    )


def test_it_begins_a_generation_at_the_entry_and_raises_the_number_from_there_on(
    instance: Instance,
) -> None:
    made = again("clean")
    instance.refresh_from_db()
    assert (instance.generation, instance.position, instance.status) == (2, 3, Status.QUEUED)
    assert (made.number, made.entry, made.actor, made.why) == (2, "clean", "ann", "too long")
    assert [number_of(step["step"], 2) for step in STEPS] == [0, 0, 0, 2, 2]
    assert LogEntry.objects.get(actor="ann").why == "regenerate: too long"


def test_a_driver_that_has_not_noticed_asks_under_its_old_key(instance: Instance) -> None:
    again()
    assert (number_of("generate", 1), number_of("generate", 2)) == (0, 2)
    assert number_of("generate", 3) == 2  # a plain restart pays nothing twice


def test_the_new_number_is_paid_for_once_under_a_step_cap_of_its_own(
    instance: Instance, anthropic_server: AnthropicServer
) -> None:
    Cap.objects.filter(scope="step").update(cap_micros=20_000)
    for generation in (1, 2):
        if generation == 2:
            again()
        number = number_of("generate", generation)
        assert not ledger.pay(call_for(regeneration=number)).is_memo
        assert ledger.pay(call_for(regeneration=number)).is_memo
    keys = sorted(Call.objects.values_list("key", flat=True))
    assert keys == ["b1/generate/0/body", "b1/generate/2/body"]
    assert books()["brief"] == (0, 14_000)
    assert len(anthropic_server.requests) == 2


def test_of_eight_who_regenerate_at_once_one_does(instance: Instance) -> None:
    results = at_once(8, lambda _: again())
    assert sum(isinstance(each, Regeneration) for each in results) == 1
    assert sum(isinstance(each, VerbRefusedError) for each in results) == 7
    assert Regeneration.objects.count() == 1
    instance.refresh_from_db()
    assert instance.generation == 2


def test_above_what_the_briefs_cap_has_left_it_is_refused_and_nothing_changes(
    instance: Instance,
) -> None:
    worst = worst_case(GenerateOptions())
    Cap.objects.filter(scope="brief").update(cap_micros=worst + 6_999)
    ledger.pay(call_for())
    told = estimate_regeneration(ID, "generate")
    assert (told.worst_micros, told.left_micros) == (worst, worst - 1)
    assert told.entries == {"generate": worst}
    with pytest.raises(TooDearError, match=f"may cost {worst} micro-dollars"):
        again()
    assert nothing_changed(instance)
    Cap.objects.filter(scope="brief").update(cap_micros=worst + 7_000)
    assert again().worst_micros == worst


def test_the_bundle_is_the_same_or_the_current_one_and_then_stays(instance: Instance) -> None:
    again("ground", bundle="same")
    assert regeneration_in_force("b1", entry="generate", generation=2).bundle is None
    Instance.objects.update(status=Status.COMPLETE, position=5)
    assert again(bundle="current", generation=2).bundle == 2
    Instance.objects.update(status=Status.COMPLETE, position=5)
    again(bundle="same", generation=3)
    for generation in (3, 4):
        bundle = regeneration_in_force("b1", entry="generate", generation=generation).bundle
        assert bundle is not None
        assert (bundle.version, bundle.voice) == (2, "Plainer.")
    assert regeneration_in_force("b1", entry="ground", generation=4).bundle is None


@pytest.mark.parametrize(
    ("position", "entry", "why", "error"),
    [
        (1, "generate", "too long", VerbRefusedError),
        (5, "generate", " ", VerbRefusedError),
        (5, "nowhere", "too long", ContractError),
    ],
    ids=["not reached", "no reason", "no such entry"],
)
def test_what_cannot_be_regenerated_is_refused_and_nothing_changes(
    instance: Instance, position: int, entry: str, why: str, error: type[Exception]
) -> None:
    Instance.objects.update(position=position)
    instance.refresh_from_db()
    with pytest.raises(error):
        regenerate(ID, entry, actor="ann", why=why, bundle="same", generation=1)
    assert nothing_changed(instance)

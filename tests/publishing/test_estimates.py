"""Estimates: expected and most of a brief and of a verb, before anything is paid."""

import pytest
from pytest_django import Settings

from lanes.models import Lane
from lanes.selection import plan_for
from lanes.versions import read_specs, save_bundle
from publishing.ledger.bulk_estimates import estimate_going_on, estimate_restarts
from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.estimates import estimate_brief, estimate_verb
from publishing.ledger.prices import worst_of_bytes
from publishing.ledger.tariffs import forget_prices
from publishing.models import Brief, Call, Price, Regeneration
from publishing.stages.generate import GenerateOptions
from tests.publishing.spending import call_row
from workflows.dispatch import create_instance
from workflows.graphs import load_plan
from workflows.models import Instance

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices", "keys")]
OPTIONS = GenerateOptions()
WORST = 160_000 * 4 + 2_000 * 4 + 8_000 * 10 + 5  # of the request in bytes, cached for an hour


@pytest.fixture
def keys(settings: Settings) -> None:
    """Let texts be paid for, and nothing else."""
    settings.ANTHROPIC_API_KEY, settings.TEXT_MODEL = "sk-test", "claude-sonnet-5-5"
    for name in ("VOYAGE_API_KEY", "OPENAI_API_KEY", "CLOUDFLARE_API_TOKEN"):
        setattr(settings, name, "")


@pytest.fixture
def lane() -> Lane:
    made = Lane.objects.create(name="news", title="News", hue=25)
    specs = {"voice": "Plain.", "audience": "Readers.", "brief_hints": "Short."}
    save_bundle(made, read_specs(specs))
    return Lane.objects.get(pk=made.pk)


def test_before_any_history_a_brief_is_expected_to_cost_what_its_prompt_comes_to(
    lane: Lane,
) -> None:
    found = estimate_brief(lane, prompt_bytes=40_000)
    assert [each.entry for each in found.entries] == ["generate"]
    assert (found.total.expected_micros, found.total.worst_micros) == (45_000, WORST)
    assert (
        worst_of_bytes(
            OPTIONS.model_in_use, prompt_bytes=OPTIONS.prompt_bytes, max_tokens=OPTIONS.max_tokens
        )
        == WORST
    )


def test_with_history_it_is_what_the_lanes_last_briefs_cost_and_the_most_stays(lane: Lane) -> None:
    call_row("a", cost_micros=10_000)
    call_row("b", cost_micros=20_001)
    call_row("c", cost_micros=90_000, lane="trade")
    call_row("d", state="unknown", cost_micros=200_000)
    total = estimate_brief(lane).total
    assert (total.expected_micros, total.worst_micros) == (15_001, WORST)


def test_without_a_key_a_brief_costs_nothing(lane: Lane, settings: Settings) -> None:
    settings.ANTHROPIC_API_KEY = ""
    assert estimate_brief(lane).entries == ()


def test_a_model_without_a_price_is_refused_before_a_brief_is_made(lane: Lane) -> None:
    Price.objects.all().delete()
    with pytest.raises(UnknownPriceError):
        estimate_brief(lane)
    assert not Call.objects.exists()


def test_a_verb_expects_stored_answers_again_and_a_regeneration_does_not(lane: Lane) -> None:
    instance = make_instance(lane)
    begin = load_plan(instance.graph_id, "publish").position_of("generate")
    assert estimate_verb(instance, "retry", begin=begin).total.expected_micros == 45_000
    call_row("b1", answer={"content": []}, cost_micros=12_000)

    again = estimate_verb(instance, "restart", begin=0)
    assert [(each.entry, each.is_paid_already) for each in again.entries] == [("generate", True)]
    assert (again.total.expected_micros, again.total.worst_micros) == (0, WORST)
    anew = estimate_verb(instance, "regenerate", begin=begin).total
    assert (anew.expected_micros, anew.worst_micros) == (12_000, WORST)
    assert estimate_verb(instance, "restart", begin=begin + 1).entries == ()


def test_an_answer_of_before_a_regeneration_is_not_expected_to_be_served_after_it(
    lane: Lane,
) -> None:
    instance = make_instance(lane)
    call_row("b1", answer={"content": []}, cost_micros=12_000)
    Regeneration.objects.create(brief_id="b1", entry="generate", number=2, worst_micros=1)
    Instance.objects.update(generation=2)
    instance.refresh_from_db()
    chosen = Instance.objects.all()
    assert estimate_verb(instance, "retry", begin=0).total.expected_micros == 12_000
    assert estimate_going_on(chosen).spend.total.expected_micros == 12_000
    call_row("b1", key="b1/generate/2/body", answer={"content": []}, cost_micros=12_000)
    assert estimate_verb(instance, "retry", begin=0).total.expected_micros == 0
    assert estimate_going_on(chosen).spend.total.expected_micros == 0


def test_many_are_summed_by_where_they_stand_and_by_what_is_stored(lane: Lane) -> None:
    instances = [make_instance(lane, key) for key in ("b1", "b2", "b3", "b4")]
    begin = load_plan(instances[0].graph_id, "publish").position_of("generate")
    call_row("b1", answer={"content": []}, cost_micros=12_000)
    Instance.objects.filter(key="b2").update(position=begin)
    Instance.objects.filter(key="b3").update(position=begin + 1)
    Instance.objects.filter(key="b4").update(pruned_at="2026-01-01T00:00Z")
    chosen = Instance.objects.all()

    on = estimate_going_on(chosen)
    assert (on.instances, on.troubles) == (3, ())
    assert (on.spend.total.expected_micros, on.spend.total.worst_micros) == (12_000, 2 * WORST)
    again = estimate_restarts(chosen, "generate")
    assert again.instances == 2  # b1 has not reached it
    assert (again.spend.total.expected_micros, again.spend.total.worst_micros) == (
        24_000,
        2 * WORST,
    )
    assert estimate_restarts(chosen, None).spend.total.worst_micros == 3 * WORST
    assert estimate_restarts(chosen, "nowhere").instances == 0


def test_what_cannot_be_counted_is_said_once(lane: Lane) -> None:
    for key in ("b1", "b2"):
        make_instance(lane, key)
    Price.objects.all().delete()
    forget_prices()
    found = estimate_going_on(Instance.objects.all())
    assert (found.instances, found.spend.entries, len(found.troubles)) == (0, (), 1)
    assert "claude-sonnet-5-5" in found.troubles[0]


def make_instance(lane: Lane, key: str = "b1") -> Instance:
    plan = plan_for(lane)
    payload = {"brief_id": key, "lane": "news", "title": "T", "summary": "S"}
    pk = create_instance(
        workflow="publish", key=key, partition="news", graph=plan.graph.pk,
        envelope={"brief": payload}, trigger="command",
    )  # fmt: skip
    Brief.objects.create(
        brief_id=key, lane=lane, instance_id=pk, bundle=plan.bundle, payload=payload
    )
    return Instance.objects.get(pk=pk)

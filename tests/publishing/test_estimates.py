"""Estimates: expected and most of a brief and of a verb, before anything is paid."""

import pytest
from pytest_django import Settings

from lanes.models import Lane
from lanes.selection import plan_for
from lanes.versions import read_specs, save_bundle
from publishing.ledger.errors import UnknownPriceError
from publishing.ledger.estimates import estimate_brief, estimate_verb
from publishing.ledger.prices import worst_of_bytes
from publishing.models import Brief, Call, Price
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


def make_instance(lane: Lane) -> Instance:
    plan = plan_for(lane)
    payload = {"brief_id": "b1", "lane": "news", "title": "T", "summary": "S"}
    pk = create_instance(
        workflow="publish", key="b1", partition="news", graph=plan.graph.pk,
        envelope={"brief": payload}, trigger="command",
    )  # fmt: skip
    Brief.objects.create(
        brief_id="b1", lane=lane, instance_id=pk, bundle=plan.bundle, payload=payload
    )
    return Instance.objects.get(pk=pk)

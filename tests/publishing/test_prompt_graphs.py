"""Graphs with prompt steps: what does not fit is refused before any brief arrives."""

import pytest

from publishing.ledger.tariffs import forget_prices
from publishing.models import Price
from publishing.payloads import Brief, Draft, Grounded, Note
from publishing.stages.prompt import PromptOptions, worst_case
from tests.plugin.stages import Readability, Verdict
from tests.publishing.broken_prompts import BEFORE, BROKEN, FAIR, Broken, asking
from workflows.errors import ContractError
from workflows.graphs import Plan, StepEntry, load_plan, prove_graph, store_graph
from workflows.models import StepGraph

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("prices")]


def entry_of(plan: Plan, name: str) -> StepEntry:
    return next(entry for entry in plan.step_entries if entry.name == name)


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.what for broken in BROKEN])
def test_a_prompt_that_does_not_fit_is_refused_by_its_path_and_not_stored(broken: Broken) -> None:
    for prove in (prove_graph, store_graph):
        with pytest.raises(ContractError) as refused:
            prove(broken.entries, workflow="publish")
        assert refused.value.path == broken.path
        assert broken.words in refused.value.message
    assert not StepGraph.objects.exists()


def test_a_prompt_reads_what_its_template_names_and_returns_a_note() -> None:
    asked = asking("Is {{ draft.body }} in {{ grounded.sources }}, for {{ brief.title }}?")
    entry = entry_of(prove_graph([*BEFORE, asked], workflow="publish"), "asked")

    assert entry.inputs == {"brief": Brief, "draft": Draft, "grounded": Grounded}
    assert entry.wiring == {"brief": None, "draft": 2, "grounded": 1}
    assert entry.output is Note


def test_what_a_prompt_provides_is_read_by_the_entries_after_it() -> None:
    entries = [*BEFORE, asking(FAIR, provides="Draft"), {"step": "clean"}]
    plan = prove_graph(entries, workflow="publish")

    assert entry_of(plan, "asked").output is Draft
    assert entry_of(plan, "asked").wiring["draft"] == 2
    assert entry_of(plan, "clean").wiring["draft"] == 3


def test_a_step_that_reads_what_only_a_later_prompt_provides_is_told_to_move_it() -> None:
    later = asking(FAIR, provides="Verdict")
    with pytest.raises(ContractError, match=r"entries\[4\] \(asked\) returns it: move it") as found:
        prove_graph([*BEFORE, {"step": "plugin_heed"}, later], workflow="publish")
    assert found.value.path == "entries[3].verdict"


def test_a_step_of_another_installed_app_takes_its_place_in_a_graph() -> None:
    entries = [*BEFORE, {"step": "plugin_measure"}, asking("Hard? {{ readability.counts }}")]
    plan = prove_graph(entries, workflow="publish")

    assert entry_of(plan, "plugin_measure").wiring == {"draft": 2}
    assert entry_of(plan, "asked").inputs["readability"] is Readability


def test_an_earlier_output_of_the_provided_contract_is_read_along() -> None:
    def wiring(*before: str) -> object:
        entries = [*BEFORE, *({"step": name} for name in before), asking(FAIR, provides="Verdict")]
        return entry_of(prove_graph(entries, workflow="publish"), "asked").wiring

    assert wiring() == {"brief": None, "draft": 2}
    assert wiring("plugin_assume") == {"brief": None, "draft": 2, "verdict": 3}
    entries = [*BEFORE, {"step": "plugin_assume"}, asking(FAIR, provides="Verdict")]
    assert entry_of(prove_graph(entries, workflow="publish"), "asked").inputs["verdict"] is Verdict


def test_a_price_that_rises_later_refuses_the_graph_to_nobody_who_has_it() -> None:
    entries = [*BEFORE, asking(FAIR, cap_micros=268_005)]
    stored = store_graph(entries, workflow="publish")
    Price.objects.filter(model="claude-sonnet-5-5").update(prompt=1_000_000)
    forget_prices()

    with pytest.raises(ContractError):
        prove_graph(entries, workflow="publish")
    assert store_graph(entries, workflow="publish") == stored
    assert load_plan(stored.pk, "publish").position_of("asked") == 3


def test_the_worst_case_is_what_the_options_allow_and_nothing_without_a_key(settings) -> None:
    options = PromptOptions(template=FAIR)
    assert worst_case(options) == 0
    settings.ANTHROPIC_API_KEY = "sk-test"
    assert worst_case(options) == 62_000 * 4 + 2_000 * 10 + 5

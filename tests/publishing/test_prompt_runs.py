"""Whole instances with prompt entries: asked once, recorded, and read by what comes after."""

from typing import Any

import pytest

from lanes.models import Bundle
from publishing.intake.submit import Sender, submit_brief
from publishing.models import Article, Call
from publishing.regeneration import regenerate
from publishing.stages.prompt import NOT_ASKED
from tests.publishing.anthropic_server import ARTICLE, AnthropicServer, Exchange, message
from tests.publishing.api.conftest import a_brief, make_lane
from tests.publishing.broken_prompts import asking
from tests.publishing.page_server import page, serve_pages
from tests.publishing.test_prompt import NOTE, VERDICT
from tests.publishing.writing import RULE
from tests.workflows.conftest import run_to_end
from workflows.drift import find_drift
from workflows.errors import ContractError
from workflows.graphs import store_graph
from workflows.models import Instance, Status, StepGraph, StepRecord
from workflows.testing import Crash, run_graph
from workflows.verbs import replace_output

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]

FACT_CHECK = {
    "step": "prompt",
    "name": "fact_check",
    "options": {"template": "Does {{ draft.body }} stand in {{ grounded.sources }}?"},
}
HEEDED = [
    asking("Is {{ brief.title }} sound?", provides="Verdict"),
    {"step": "plugin_heed"},
]


@pytest.fixture(autouse=True)
def model(anthropic_server: AnthropicServer) -> AnthropicServer:
    """Answer each request by the schema that it brings."""

    def answer(exchange: Exchange) -> None:
        asked = exchange.body["output_config"]["format"]["schema"]["properties"]
        known = next(each for each in (NOTE, VERDICT, ARTICLE) if each.keys() == asked.keys())
        exchange.reply(200, message(known))

    anthropic_server.script = answer
    return anthropic_server


def submitted(*, url: str) -> Instance:
    """Take a brief in, for a lane whose graph has a fact check before clean."""
    make_lane("news")
    body = a_brief(sources=[{"url": url}])
    made = submit_brief(body, Sender(trigger="command", lanes=frozenset({"news"})))
    entries = made.brief.instance.graph.entries
    at = [entry.get("step") for entry in entries].index("clean")
    graph = store_graph([*entries[:at], FACT_CHECK, *entries[at:]], workflow="publish")
    Instance.objects.filter(pk=made.brief.instance_id).update(graph=graph)
    return Instance.objects.get(pk=made.brief.instance_id)


def envelope() -> dict[str, Any]:
    bundle = Bundle.objects.first() or make_lane("news").bundle
    assert bundle is not None
    return {"brief": a_brief(), "bundle": bundle.pk}


def test_an_article_goes_live_with_the_note_of_its_prompt(
    model: AnthropicServer, settings: Any
) -> None:
    with serve_pages() as web:
        settings.FETCH_ALLOW_HOSTS = [web.host]
        web.pages["/a"] = page(f"<article><p>{RULE}</p></article>")
        instance = submitted(url=web.url("/a"))
        run_to_end(instance)

    instance.refresh_from_db()
    assert instance.status == Status.COMPLETE, instance.error
    assert StepRecord.objects.get(entry="fact_check").output == NOTE
    assert Article.objects.get().status == "live"
    assert sorted(Call.objects.values_list("key", flat=True)) == [
        "b-1/fact_check/0/prompt",
        "b-1/generate/0/body",
    ]
    asked = model.requests[1].body["messages"][0]["content"]
    assert [block.get("title", block.get("text")) for block in asked] == [
        "Does ",
        "draft.body",
        " stand in ",
        "grounded.sources",
        "?",
    ]
    assert asked[1]["source"]["data"] == ARTICLE["body"]


def test_a_regeneration_from_the_prompt_on_pays_for_it_alone(
    model: AnthropicServer, settings: Any
) -> None:
    with serve_pages() as web:
        settings.FETCH_ALLOW_HOSTS = [web.host]
        web.pages["/a"] = page(f"<article><p>{RULE}</p></article>")
        instance = submitted(url=web.url("/a"))
        run_to_end(instance)
        instance_id = str(instance.instance_id)
        regenerate(
            instance_id, "fact_check", actor="ann", why="look again", bundle="same", generation=1
        )
        run_to_end(instance)

    assert sorted(Call.objects.values_list("key", flat=True)) == [
        "b-1/fact_check/0/prompt",
        "b-1/fact_check/2/prompt",
        "b-1/generate/0/body",
    ]


def test_a_worker_that_dies_with_the_answer_has_paid_for_it_once(model: AnthropicServer) -> None:
    ran = run_graph(
        HEEDED, workflow="publish", envelope=envelope(), forced={"asked": [Crash(), Crash()]}
    )

    assert ran.status == Status.COMPLETE
    assert ran.tries == [("asked", "lost"), ("asked", "lost")]
    assert ran.records == {"asked": VERDICT, "plugin_heed": {"said": "False: no source"}}
    assert len(model.requests) == 1
    assert Call.objects.get().state == "settled"


def test_without_a_key_the_pipeline_runs_and_says_so(settings: Any, model: AnthropicServer) -> None:
    settings.ANTHROPIC_API_KEY = ""
    note = asking("Is {{ brief.title }} sound?")

    ran = run_graph([note], workflow="publish", envelope=envelope())
    refused = run_graph(HEEDED, workflow="publish", envelope=envelope())

    assert ran.records == {"asked": {"text": f"asked: {NOT_ASKED}.", "flags": [NOT_ASKED]}}
    assert refused.status == Status.ERRORED
    assert "ANTHROPIC_API_KEY" in refused.error["message"]
    assert model.requests == []


def waiting_run() -> Instance:
    """An instance whose prompt has answered, and whose reader waits for an event first."""
    entries = [HEEDED[0], {"wait": "approval"}, HEEDED[1]]
    return run_graph(entries, workflow="publish", envelope=envelope(), skip_sleeps=False).instance


def test_a_replaced_answer_is_held_against_the_contract_that_the_entry_provides() -> None:
    instance_id = str(waiting_run().instance_id)

    with pytest.raises(ContractError, match=r"asked\.reason: does not fit Verdict"):
        replace_output(instance_id, "asked", {"sound": True, "reason": 5}, actor="ann")
    assert replace_output(instance_id, "asked", {"sound": True, "reason": "seen"}, actor="ann")
    assert StepRecord.objects.get(entry="asked", superseded=False).output == {
        "sound": True,
        "reason": "seen",
        "flags": [],
    }


def test_an_answer_that_later_code_cannot_read_is_named_before_the_deploy() -> None:
    instance = waiting_run()
    assert find_drift() == []

    StepRecord.objects.filter(instance=instance).update(output={"sound": True}, drain=None)

    (drift,) = find_drift()
    assert (drift.path, drift.message) == (
        "asked.reason",
        "does not fit Verdict: Field required",
    )


def test_a_field_that_was_renamed_is_named_where_open_graphs_ask_for_it() -> None:
    instance = waiting_run()
    renamed = asking("Is {{ brief.headline }} sound?", provides="Verdict")
    graph = StepGraph.objects.filter(pk=instance.graph_id)
    graph.update(entries=[renamed, *graph.get().entries[1:]])

    (drift,) = find_drift()

    assert drift.path == "entries[0].options.template"
    assert "brief has no field headline; there are brief_id, lane, title, " in drift.message

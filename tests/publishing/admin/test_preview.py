"""The preview: the bytes that would be sent, and nothing sent, held or paid."""

from typing import Any

import pytest
from django.test import Client

from lanes.models import Bundle, Lane
from lanes.selection import WORKFLOW, compile_entries, load_bundle
from lanes.versions import draft_bundle, save_options, specs_of
from publishing.models import Brief, Call
from publishing.payloads import Grounded
from publishing.stages.generate import GenerateOptions, generate
from tests.publishing.admin.conftest import person, signed_in
from tests.publishing.anthropic_server import AnthropicServer
from tests.publishing.writing import RULE, brief, context, source
from workflows.dispatch import create_instance
from workflows.graphs import store_graph
from workflows.models import StepRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("caps")]
GROUNDED = Grounded(sources=[source("s1", RULE), source("s2", "Ünïcode — “quoted”.")])


def posted(lane: Lane, *, grounded: Grounded | None = GROUNDED) -> Brief:
    """Return a brief of the lane whose sources were fetched, if given."""
    assert lane.bundle is not None
    graph = store_graph(compile_entries(lane), workflow=WORKFLOW)
    payload = brief(lane=lane.name).model_dump(mode="json")
    pk = create_instance(
        workflow=WORKFLOW, key="b1", partition=lane.name, graph=graph.pk, trigger="command",
        envelope={"brief": payload, "bundle": lane.bundle.pk},
    )  # fmt: skip
    assert pk is not None
    made = Brief.objects.create(
        brief_id="b1", lane=lane, instance_id=pk, bundle=lane.bundle, payload=payload
    )
    if grounded is not None:
        at = made.created_at
        StepRecord.objects.create(
            instance_id=pk, generation=1, position=1, entry="ground", attempt=1,
            output=grounded.model_dump(mode="json"), started_at=at, finished_at=at,
        )  # fmt: skip
    return made


def preview(client: Client, lane: Lane, bundle: int, page: str = "preview/") -> Any:
    return client.get(f"/admin/lanes/lane/{lane.pk}/{page}?brief=b1&bundle={bundle}")


@pytest.mark.parametrize("version", [1, 2], ids=["in use", "draft"])
def test_the_bytes_are_those_that_the_server_then_receives(
    editor: Client, lane: Lane, anthropic_server: AnthropicServer, version: int
) -> None:
    assert lane.bundle is not None
    draft_bundle(lane, specs_of(lane.bundle).model_copy(update={"voice": "Ärger."}))
    posted(lane)
    shown = preview(editor, lane, version, "preview.json").content
    assert anthropic_server.requests == []
    assert not Call.objects.exists()

    bundle = load_bundle(Bundle.objects.get(lane=lane, version=version).pk)
    generate(brief(lane=lane.name), GROUNDED, bundle, GenerateOptions(), context())
    assert [exchange.raw for exchange in anthropic_server.requests] == [shown]


def test_the_hold_is_the_worst_cost_that_was_shown(
    editor: Client, lane: Lane, anthropic_server: AnthropicServer
) -> None:
    posted(lane)
    shown = preview(editor, lane, 1).context["preview"]
    generate(brief(lane=lane.name), GROUNDED, load_bundle(lane.bundle_id or 0), GenerateOptions(),
             context())  # fmt: skip
    assert Call.objects.get().held_micros == shown.run.worst_micros
    assert shown.run.tokens == len(shown.body) // 4
    assert shown.run.expected_micros < shown.run.worst_micros


def test_the_lanes_options_are_those_of_the_request(
    editor: Client, lane: Lane, anthropic_server: AnthropicServer
) -> None:
    save_options(lane, {"generate": {"max_tokens": 900}})
    posted(lane)
    assert preview(editor, lane, 1).context["preview"].request["max_tokens"] == 900
    assert anthropic_server.requests == []


def test_before_the_sources_are_fetched_it_says_so_and_shows_the_rest(
    editor: Client, lane: Lane
) -> None:
    posted(lane, grounded=None)
    page = preview(editor, lane, 1).content.decode()
    assert "The sources of b1 are not fetched yet" in page
    assert "No key is set, so a run would send nothing" in page
    assert "Plain.\\nShort." in page


def test_a_draft_is_previewed_with_the_newest_brief_in_one_click(
    editor: Client, lane: Lane
) -> None:
    posted(lane)
    page = editor.get(f"/admin/lanes/lane/{lane.pk}/preview/?bundle=1")
    assert page.context["brief"].brief_id == "b1"


def test_what_does_not_fit_is_said_instead_of_shown(editor: Client, lane: Lane) -> None:
    save_options(lane, {"generate": {"prompt_bytes": 20_000}})
    posted(lane)
    Brief.objects.update(payload=brief(notes="n" * 40_000).model_dump(mode="json"))
    page = preview(editor, lane, 1).content.decode()
    assert "do not fit into 20000 bytes" in page
    assert preview(editor, lane, 1, "preview.json").status_code == 404


def test_who_may_see_no_lane_previews_none(lane: Lane) -> None:
    posted(lane)
    stranger = signed_in(person("nora", "publishing.view_article"))
    for page in ("preview/", "preview.json"):
        assert preview(stranger, lane, 1, page).status_code == 403

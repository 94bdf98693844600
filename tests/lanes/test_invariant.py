"""The ID is `publish-{brief_id}`: nothing is ever added to it, whatever becomes of lanes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connection

from lanes.contracts import BundleSpecs
from lanes.models import Lane
from lanes.selection import plan_for
from lanes.spine import WORKFLOW
from lanes.versions import save_graph, use_spine
from publishing.models import Article, Brief
from publishing.regeneration import regenerate
from tests.lanes.broken_graphs import research
from tests.lanes.conftest import Post, make_lane, run_entries
from tests.workflows.conftest import is_in, run_to_end
from workflows import verbs
from workflows.graphs import StepEntry, load_plan
from workflows.models import Instance, Status
from workflows.registry import get_step
from workflows.testing import run_graph

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for app in ("lanes", "publishing", "workflows")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts
]


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the product's own code, with its file."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            yield str(path.relative_to(ROOT)), node


def called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def test_one_call_orders_publish_instances_and_their_key_is_the_brief_id_alone() -> None:
    orders = [
        (file, given["key"])
        for file, node in nodes()
        if isinstance(node, ast.Call) and called(node) in ("create_instance", "Order")
        for given in [{word.arg: ast.unparse(word.value) for word in node.keywords}]
        if given.get("workflow") in ("WORKFLOW", "'publish'") and file.startswith("publishing")
    ]
    assert orders == [("publishing/intake/submit.py", "brief.brief_id")]


def test_one_module_names_the_id() -> None:
    minted = {
        file
        for file, node in nodes()
        if isinstance(node, ast.Call)
        and called(node) == "Concat"
        and {"F('workflow')", "F('key')"} <= {ast.unparse(each) for each in node.args}
    }
    assert minted == {"workflows/models/instances.py"}


def test_no_code_of_lanes_or_publishing_builds_an_id() -> None:
    built = [
        (file, ast.unparse(node))
        for file, node in nodes()
        if isinstance(node, ast.JoinedStr | ast.BinOp) and not file.startswith("workflows")
        for text in [ast.unparse(node)]
        if "publish-" in text or "-{brief_id" in text or "-{brief.brief_id" in text
        or "WORKFLOW}-" in text
    ]  # fmt: skip
    assert built == []


@pytest.mark.django_db
def test_the_database_lets_nobody_write_an_id() -> None:
    with (
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="can only be updated to DEFAULT"),
    ):
        cursor.execute("update workflows_instance set instance_id = 'publish-other'")


def test_a_brief_id_is_one_instance_through_lanes_graphs_a_restart_and_a_regenerate(
    post: Post,
) -> None:
    lane, _ = make_lane("research"), make_lane("news")
    first = post()
    instance = Instance.objects.get(pk=first.brief.instance_id)
    save_graph(lane, research())
    again = [post(), post(lane="news"), post(title="Drafted anew")]
    run_to_end(instance)
    use_spine(lane)
    again.append(post())

    verbs.restart("publish-clocks", actor="ann", generation=1)
    run_to_end(instance)
    regenerate("publish-clocks", "generate", actor="ann", why="dull", bundle="current",
               generation=2)  # fmt: skip
    run_to_end(instance)
    again.append(post(lane="news"))

    assert is_in(instance, Status.COMPLETE)
    assert (first.created, [each.created for each in again]) == (True, [False] * 5)
    assert {each.brief.pk for each in again} == {first.brief.pk}
    assert list(Instance.objects.values_list("instance_id", flat=True)) == ["publish-clocks"]
    assert (instance.generation, Brief.objects.count(), Article.objects.count()) == (3, 1, 1)
    assert run_entries(instance).count("publish") == 3


@pytest.mark.django_db
def test_no_stage_but_generate_takes_the_bundle() -> None:
    lane = make_lane("news")
    save_graph(lane, research())
    plan = load_plan(plan_for(lane).graph.pk, WORKFLOW)
    steps = {entry.step.name for entry in plan.entries if isinstance(entry, StepEntry)}
    registered = {path.stem for path in (ROOT / "publishing/stages").glob("[a-z]*.py")}

    assert steps == {"validate", "ground", "generate", "clean", "persist", "index", "cover",
                     "publish"} <= registered  # fmt: skip
    taking = {step for step in registered if BundleSpecs in get_step(step).inputs.values()}
    assert taking == {"generate"}


def test_a_brief_is_dispatched_and_driven_by_the_same_statements_with_8_lanes_and_with_808(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [make_lane("research"), *(make_lane(f"lane_{n}") for n in range(7))]
    save_graph(lanes[0], research())
    posted = post()
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(re.sub(r'SAVEPOINT ".*"', "SAVEPOINT", str(query)))
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)

    def run() -> list[str]:
        statements.clear()
        lane = Lane.objects.select_related("bundle", "graph", "options").get(name="research")
        plan = plan_for(lane)
        payload = {"brief": posted.brief.payload} | plan.envelope
        ran = run_graph(plan.graph.entries, workflow=WORKFLOW, envelope=payload)
        assert ran.status == Status.COMPLETE
        return list(statements)

    run()  # what a process reads once is read
    with_8 = run()
    for table in ("lanes_lane", "workflows_stepgraph", "workflows_steprecord"):
        assert any(table in statement for statement in with_8)
    Lane.objects.bulk_create(
        Lane(name=f"more_{n}", title="More", bundle=lanes[1].bundle) for n in range(800)
    )
    assert Lane.objects.count() == 808
    assert run() == with_8

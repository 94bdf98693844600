"""A lane with a past for the browser: versions, a graph of its own, articles, a brief."""

from lanes.models import Lane
from lanes.versions import draft_bundle, save_bundle, save_graph, specs_of
from tests.lanes.broken_graphs import research
from tests.publishing.articles import make_article


def lived_in(lane: Lane) -> dict[str, str]:
    """Give the lane a past, and return the addresses of its pages by name."""
    assert lane.bundle is not None
    first = lane.bundle
    dry = specs_of(first).model_copy(update={"voice": "Plain and dry.\nShort sentences."})
    save_bundle(lane, dry, note="Drier, since readers skip.")
    draft_bundle(lane, dry.model_copy(update={"audience": "Engineers."}), note="A try.")
    save_graph(lane, research(), note="Deeper.")
    article = make_article("A size", lane=lane)
    page = f"/admin/lanes/lane/{lane.pk}"
    draft = lane.bundles.get(version=3)
    return {
        "lane": f"{page}/page/",
        "form": f"{page}/change/",
        "form from": f"{page}/change/?from={first.pk}",
        "graph": f"{page}/graph/",
        "compare": f"{page}/compare/bundle/?old=1&new=3",
        "compare graphs": f"{page}/compare/graph/?old=0&new=1",
        "compare options": f"{page}/compare/options/",
        "copy": f"{page}/copy/",
        "preview": f"{page}/preview/",
        "previewed": f"{page}/preview/?brief={article.brief.brief_id}&bundle=3",
        "old bundle": f"/admin/lanes/bundle/{first.pk}/change/",
        "draft": f"/admin/lanes/bundle/{draft.pk}/change/",
        "own graph": f"/admin/lanes/lanegraph/{lane.graph_id}/change/",
        "options": f"/admin/lanes/laneoptions/{lane.options_id}/change/",
        "article": f"/admin/publishing/article/{article.pk}/change/",
        "lanes": "/admin/lanes/lane/",
    }

"""Which graph version an instance was dispatched with, as its envelope has it."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lanes.models import LaneGraph
from publishing.admin.downloads import read_envelope
from workflows.models import Instance


def graph_link(instance: Instance) -> SafeString | str:
    """Return the lane's graph version, linked; or that it was the spine; a dash once pruned."""
    envelope = read_envelope(instance)
    if not isinstance(envelope, dict) or "graph" not in envelope:
        return "–"
    graph = LaneGraph.objects.filter(pk=envelope["graph"]).first()
    if graph is None:
        return "the spine"
    url = reverse("admin:lanes_lanegraph_change", args=[graph.pk])
    return format_html('<a href="{}">the lane’s own, version {}</a>', url, graph.version)

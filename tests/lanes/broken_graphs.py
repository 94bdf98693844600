"""Graphs and options that no lane can be run with: where each is wrong, and what is said of it.

The table is data, so that whoever builds a step adds what can be wrong with its options.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from lanes.spine import SPINE
from tests.publishing import broken_prompts

Entries = list[dict[str, Any]]
Options = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Broken:
    """One of them.

    Attributes:
        entries: the lane's own graph; None for the spine.
        path: where the fault is.
        words: what the message says of it, or of what would fit.
        options: laid over the graph.
    """

    name: str
    entries: Entries | None
    path: str
    words: str
    options: Options = field(default_factory=dict)


def research(*, without: str = "", **changed: dict[str, Any]) -> Entries:
    """Return a graph that is two stages away from the spine, and fits.

    Args:
        without: name of an entry to leave out.
        changed: what an entry has otherwise, by its name.
    """
    entries = deepcopy(SPINE)
    entries.insert(2, {"step": "ground", "name": "deepen", "options": {"passes": 2}})
    entries.insert(5, {"step": "clean", "name": "second_look"})
    entries = [entry | changed.get(named(entry), {}) for entry in entries]
    return [entry for entry in entries if named(entry) != without]


def swapped(first: str, second: str, entries: Entries | None = None) -> Entries:
    """Return the graph, or the spine, with two of its entries exchanged."""
    order = deepcopy(SPINE) if entries is None else entries
    a, b = (next(n for n, e in enumerate(order) if named(e) == name) for name in (first, second))
    order[a], order[b] = order[b], order[a]
    return order


def named(entry: dict[str, Any]) -> str:
    """Return the entry's name."""
    return str(entry.get("name", entry.get("step", entry.get("wait"))))


def _with(entry: dict[str, Any]) -> Entries:
    return [*research(), entry]


BROKEN = [
    Broken("a graph without entries", [], "graph.entries", "leave the graph out for the spine"),
    Broken("more entries than any graph has", [{"step": "validate"}] * 101, "graph.entries",
           "1 to 100 entries"),
    Broken("a step that does not exist", research(clean={"step": "cleen"}),
           "graph.entries[4].step", "no step has this name; there are"),
    Broken("a step whose name is no text", research(clean={"step": 5}), "graph.entries[4].step",
           "is the name of a step"),
    Broken("an entry of no kind", _with({"name": "idle"}), "graph.entries[12]",
           "an entry has one of `step`, `wait`, `sleep` and `until`"),
    Broken("an entry of two kinds", research(clean={"wait": "approval"}), "graph.entries[4]",
           "an entry has one of `step`, `wait`, `sleep` and `until`"),
    Broken("a field that entries have not", research(clean={"retries": 3}),
           "graph.entries[4].retries", "is unknown; there are name, options, policy, step"),
    Broken("a name that stands twice", research(second_look={"name": "clean"}),
           "graph.entries[5].name", "'clean' stands twice"),
    Broken("a step twice without a name of its own", _with({"step": "publish"}),
           "graph.entries[12].name", "'publish' stands twice"),
    Broken("a name that is none", research(clean={"name": "Clean it"}), "graph.entries[4].name",
           "is a-z, 0-9 and _"),
    Broken("generate before ground", swapped("ground", "generate"), "graph.entries[1].grounded",
           "takes Grounded, which no earlier entry returns"),
    Broken("index before persist", swapped("persist", "index"), "graph.entries[4].persisted",
           "takes Persisted, which no earlier entry returns"),
    Broken("cover before persist", swapped("persist", "cover"), "graph.entries[4].persisted",
           "takes Persisted, which no earlier entry returns"),
    Broken("publish before cover", swapped("cover", "publish"), "graph.entries[6].cover",
           "takes Cover, which no earlier entry returns"),
    Broken("no grounding at all", [e for e in research(without="ground") if named(e) != "deepen"],
           "graph.entries[1].grounded", "takes Grounded, which no earlier entry returns"),
    Broken("no cover", research(without="cover"), "graph.entries[10].cover",
           "takes Cover, which no earlier entry returns"),
    Broken("nothing is published", research(without="publish"), "graph.entries",
           "nothing returns Published, with which every brief ends; `publish` does"),
    Broken("an option of the wrong type", research(ground={"options": {"passes": "many"}}),
           "graph.entries[1].options.passes", "Input should be 1 or 2"),
    Broken("an option that the step has not", research(ground={"options": {"depth": 2}}),
           "graph.entries[1].options.depth",
           "is no option of ground; there are dead_links, passes"),
    Broken("an option that is missing", research(cover={"options": {"hue": 20}}),
           "graph.entries[8].options.folio", "Field required"),
    Broken("options of a step that has none", research(persist={"options": {"x": 1}}),
           "graph.entries[6].options", "persist has no options"),
    Broken("options that are no object", research(ground={"options": [1]}),
           "graph.entries[1].options", "dictionary"),
    Broken("a pattern that is none", research(clean={"options": {"phrases_to_flag": ["("]}}),
           "graph.entries[4].options.phrases_to_flag", "("),
    Broken("a value that lanes have not",
           research(cover={"options": {"hue": {"lane": "pk"}, "folio": "x"}}),
           "graph.entries[8].options.hue",
           "a lane has no such value; it has name, title, description, hue"),
    Broken("a policy that is out of bounds", research(ground={"policy": {"retries": -1}}),
           "graph.entries[1].policy.retries", "greater than or equal to 0"),
    Broken("a policy that does not exist", research(ground={"policy": {"patience": 3}}),
           "graph.entries[1].policy.patience", ""),
    Broken("an event type that is none", _with({"wait": "two words"}), "graph.entries[12].wait",
           "is an event type: letters, digits"),
    Broken("a wait with options", _with({"wait": "approval", "options": {}}),
           "graph.entries[12].options", "is unknown; there are name, on_timeout, timeout, wait"),
    Broken("a sleep longer than a year", _with({"sleep": 10**9, "name": "long"}),
           "graph.entries[12].sleep", "at most 365 days"),
    Broken("a moment that is no pointer", research(publish_at={"until": "publish_at"}),
           "graph.entries[10].until", "is a JSON pointer into the envelope"),
    Broken("options for an entry of another graph", None, "options.deepen",
           "no step has this name; there are validate, ground, generate",
           {"deepen": {"passes": 1}}),
    Broken("options for an entry that the graph left out", research(without="deepen"),
           "options.deepen", "no step has this name; there are validate, ground, generate",
           {"deepen": {"passes": 1}}),
    Broken("options for a wait", research(), "options.publish_at", "no step has this name",
           {"publish_at": {"x": 1}}),
    Broken("an option laid over the spine that does not fit", None, "options.ground.passes",
           "Input should be 1 or 2", {"ground": {"passes": 3}}),
    Broken("an option laid over a graph that does not fit", research(), "options.deepen.passes",
           "Input should be 1 or 2", {"deepen": {"passes": 3}}),
    Broken("an option laid over that the step has not", None, "options.clean.words_max",
           "is no option of clean; there are anti_patterns, phrases_to_flag",
           {"clean": {"words_max": 3}}),
]  # fmt: skip

# Graphs that are refused for their prompt step, each finished by what the spine has after it. What
# no JSON of a lane may hold at all is refused before, in other words.
_OTHERWISE = {"a template with NUL", "half a character", "a type that nothing here returns"}
BROKEN += [
    Broken(f"prompt: {each.what}", each.entries + deepcopy(SPINE[3:]), f"graph.{each.path}",
           each.words)
    for each in broken_prompts.BROKEN
    if each.what not in _OTHERWISE
]  # fmt: skip

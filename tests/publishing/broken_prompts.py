"""Graphs whose prompt step does not fit: each with the path and words of its refusal."""

from typing import Any, NamedTuple


class Broken(NamedTuple):
    """A graph of the workflow `publish` that is refused wherever it would be put to use."""

    what: str
    entries: list[dict[str, Any]]
    path: str
    words: str


def asking(template: str, **options: Any) -> dict[str, Any]:
    """Return the entry of a prompt step."""
    return {"step": "prompt", "name": "asked", "options": {"template": template} | options}


BEFORE: list[dict[str, Any]] = [
    {"step": "validate"},
    {"step": "ground"},
    {"step": "generate"},
]
TEMPLATE = "entries[3].options.template"
PROVIDES = "entries[3].options.provides"
FAIR = "Check {{ draft.body }}"


def _broken(what: str, template: str, words: str, path: str = TEMPLATE, **options: Any) -> Broken:
    return Broken(what, [*BEFORE, asking(template, **options)], path, words)


BROKEN = [
    _broken("an unknown type", "{{ drft.body }} is it?", "line 1, column 1: no contract is called "
            "drft (draft?); there are brief, "),
    _broken("an unknown field", "Check\n  {{ draft.text }}",
            "line 2, column 3: draft has no field text; there are title, summary, body, "),
    _broken("an unknown inner field", "Who? {{ draft.written_by.pen }}",
            "draft.written_by has no field pen; there are author, model, "),
    _broken("a field of a text", "Say {{ draft.body.upper }}",
            "draft.body is no contract and has no fields"),
    _broken("a field within a list", "Say {{ grounded.sources.url }}",
            "grounded.sources is no contract and has no fields"),
    _broken("a property that is no field", "Say {{ grounded.fetched }}",
            "grounded has no field fetched; there are sources"),
    _broken("a type without a field", "Check {{ draft }}", "draft is a type; name a field"),
    _broken("an unclosed slot", "Check {{ draft.body", "column 7: `{{` is not closed by `}}`"),
    _broken("a slot within a slot", "Check {{ draft.{{ x }} }}", "`{{` is not closed by `}}`"),
    _broken("stray braces", 'Answer {"a": {"b": 1}}', "column 21: `}}` closes nothing"),
    _broken("nothing within the braces", "Check {{ }}", "stands type.field, and nothing else"),
    _broken("a tag", "{% if draft %}Check it", "`{%` would be a tag; there are no tags"),
    _broken("a comment", "Check {# not this #} it", "`{#` would be a comment; there are none"),
    _broken("a filter", "Check {{ draft.body|upper }}", "there are no filters"),
    _broken("a call", "Check {{ draft.body() }}", "there are no calls"),
    _broken("an index", "Check {{ draft.tags[0] }}", "there are no indexes"),
    _broken("dunder fields", "Check {{ draft.__class__.__init__ }}",
            "stands type.field, and nothing else"),
    _broken("an empty template", " \n", "says nothing: write what the model is to do"),
    _broken("a template of fields only", "{{ draft.body }}", "says nothing"),
    _broken("fifty-one fields", "See " + "{{ draft.title }}" * 51, "names more than 50 fields"),
    _broken("a bundle's specs", "In the voice of {{ bundle_specs.voice }}",
            "a bundle's specs go to generate only"),
    _broken("a sensitive step's output", "Say {{ secret.token }}",
            "returned by a sensitive step and goes to no model"),
    Broken("a type that comes later", [asking(FAIR), *BEFORE], "entries[0].options.template",
           "takes Draft, which no earlier entry returns; entries[3] (generate) returns it: move it "
           "before this one"),
    Broken("a type that nothing here returns", [*BEFORE, asking("Is {{ cover.alt }} so?")],
           TEMPLATE, "takes Cover, which no earlier entry returns; put a step before it that does: "
           "cover"),
    _broken("a template with NUL", "Check \x00 {{ draft.body }}", "holds NUL"),
    _broken("half a character", "Check \ud800 {{ draft.body }}", "valid string"),
    _broken("a contract of the engine's own", FAIR, "no contract is called 'BulkOrder'; there are "
            "Draft, ", PROVIDES, provides="BulkOrder"),
    _broken("an unknown contract", FAIR, "no contract is called 'Revieuw'; there are ", PROVIDES,
            provides="Revieuw"),
    _broken("free keys", FAIR, "Readability cannot be asked of a model: Readability.counts is free "
            "in its keys; there are ", PROVIDES, provides="Readability"),
    _broken("what a stage has done", FAIR, "Persisted is not for a model to say: it states what a "
            "stage has done; there are ", PROVIDES, provides="Persisted"),
    _broken("the brief itself", FAIR, "Brief is not for a model to say: it stays what the instance "
            "was dispatched with", PROVIDES, provides="Brief"),
    _broken("specs for generate", FAIR, "BundleSpecs is not for a model to say", PROVIDES,
            provides="BundleSpecs"),
    Broken("a draft of nobody's", [asking("Write {{ brief.title }}", provides="Draft")],
           "entries[0].options.provides", "takes Draft, which no earlier entry returns"),
    _broken("a cap below the worst case", FAIR, "the call may cost 268005 micro-dollars (60000 "
            "prompt_bytes, 2000 max_tokens, claude-sonnet-5-5); raise it to that or lower those",
            "entries[3].options.cap_micros", cap_micros=268_004),
    _broken("no room for its fields", FAIR + "." * 5_000, "leaves its fields no room; ",
            "entries[3].options.prompt_bytes", prompt_bytes=5_000),
    _broken("a model without a price", FAIR, "'claude-nobody' has no price",
            "entries[3].options.model", model="claude-nobody"),
    _broken("no tokens for an answer", FAIR, "greater than or equal to 100",
            "entries[3].options.max_tokens", max_tokens=0),
    Broken("no template", [*BEFORE, {"step": "prompt"}], TEMPLATE, "Field required"),
]  # fmt: skip

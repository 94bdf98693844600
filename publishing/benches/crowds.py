"""A large publication in an empty database: rows as the pipeline leaves them, made by Postgres.

Each article has a brief, a revision, a source, a chunk and eight step records; instances beyond
the articles have a brief alone. One in a hundred instances is open or failed.
"""

import random
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection

from publishing.models import Article
from publishing.providers import embeddings
from workflows.models import Instance, StepGraph, StepRecord

_BASES = (
    500  # (also in the statements) texts that the vectors are made of, each with noise of its own
)
_WORDS = ("press", "type", "ink", "paper", "folio", "margin", "column", "gutter", "serif", "proof")
_STAGES = ("validate", "ground", "generate", "clean", "persist", "index", "cover", "publish")


@dataclass(frozen=True)
class Crowd:
    """How many."""

    articles: int
    instances: int


def fill(crowd: Crowd) -> None:
    """Fill the database; vectors' indexes are built behind the rows, which is quicker."""
    call_command("load_lanes", stdout=StringIO())
    bases = [_text(random.Random(number)) for number in range(_BASES)]  # noqa: S311 - no secret
    vectors = [str(vector) for vector in embeddings.embed(bases)]
    graph = StepGraph.objects.create(digest="0" * 64, entries=[{"step": name} for name in _STAGES])
    parameters: dict[str, Any] = {
        "articles": crowd.articles,
        "instances": crowd.instances,
        "stages": list(_STAGES),
        "graph": graph.pk,
        "bases": bases,
        "vectors": vectors,
        "embedder": embeddings.EMBEDDER,
    }
    with connection.cursor() as cursor:
        cursor.execute("set maintenance_work_mem = '1GB'; set synchronous_commit = off")
        for statement in (*_ROWS, *_AFTER):
            cursor.execute(statement, parameters)


def count_rows() -> dict[str, int]:
    """Return how many instances, articles and step records there are."""
    counted = (("instances", Instance), ("articles", Article), ("records", StepRecord))
    return {name: model.objects.count() for name, model in counted}


def _text(dice: random.Random) -> str:
    return " ".join(dice.choice(_WORDS) for _ in range(120))


_ROWS = (
    "drop index publishing_brief_near; drop index publishing_chunk_near",
    """
    create temporary table base as
    select place - 1 as n, text, vector::vector as vector
    from unnest(%(bases)s::text[], %(vectors)s::text[]) with ordinality as b (text, vector, place)
    """,
    """
    create temporary table desk as
    select row_number() over (order by id) - 1 as n, id, name, count(*) over () as many
    from lanes_lane
    """,
    """
    insert into workflows_instance (workflow, key, partition, graph_id, trigger, payload_hash,
        generation, status, reason, position, attempt, failures, crashes, fence, rank, inbox,
        pause_requested, created_at, started_at, finished_at, error)
    select 'publish', 'b-' || n.n, lane.name, %(graph)s, 'api', '0', 1,
        case when n.n %% 200 = 0 then 4 when n.n %% 200 = 1 then 2
            when n.n %% 5000 = 2 then 0 else 6 end,
        case when n.n %% 200 = 1 then 'event' end, case when n.n %% 200 < 2 then 2 else 7 end,
        1, 0, 0, 1, 1, 0, false, now() - n.n * interval '20 s', now() - n.n * interval '20 s',
        case when n.n %% 200 <> 1 and n.n %% 5000 <> 2 then now() - n.n * interval '20 s' end,
        case when n.n %% 200 = 0
            then '{"type": "NonRetryableError", "message": "refused"}'::jsonb end
    from generate_series(1, %(instances)s) as n (n)
    join desk as lane on lane.n = n.n %% lane.many
    """,
    """
    insert into publishing_brief (brief_id, lane_id, instance_id, bundle_id, payload, duplicates,
        embedding, created_at)
    select i.key, lane.id, i.id, lane.bundle_id,
        jsonb_build_object('title', 'On ' || i.key || ' and typesetting', 'brief_id', i.key), 0,
        case when substr(i.key, 3)::int <= %(articles)s then (
            select array_agg(value + (random() - 0.5) * 0.05)
            from unnest(base.vector::real[]) as value)::vector end,
        i.created_at
    from workflows_instance as i join lanes_lane as lane on lane.name = i.partition
    join base on base.n = i.id %% 500
    """,
    """
    insert into publishing_article (brief_id, lane_id, slug, status, created_at, published_at,
        modified_at)
    select b.id, b.lane_id, 'article' || substr(b.brief_id, 2), 'live', b.created_at, b.created_at,
        b.created_at
    from publishing_brief as b where b.embedding is not null
    """,
    """
    insert into publishing_revision (article_id, number, title, summary, body, words, tags,
        written_by, findings, flags, bundle_id, generation, created_at)
    select a.id, 1, 'Article ' || a.id || ' on typesetting', 'What it says.',
        '## A section' || e'\\n\\n' || repeat(base.text || e'.:cite[s1]\\n\\n', 6), 720, '["type"]',
        '{"author": "offline", "bundle": 1}', '[]', '[]', b.bundle_id, 1, a.created_at
    from publishing_article as a join publishing_brief as b on b.id = a.brief_id
    join base on base.n = a.id %% 500
    """,
    "update publishing_article as a set revision_id = r.id from publishing_revision as r"
    " where r.article_id = a.id",
    """
    insert into publishing_source (revision_id, key, url, final_url, title, site, quote, sha256,
        injection_score, fetched_at)
    select id, 's1', 'https://example.org/' || id, 'https://example.org/' || id, 'A source',
        'example.org', 'words', repeat('0', 64), 0, created_at from publishing_revision
    """,
    """
    insert into publishing_chunk (article_id, position, heading, text, embedder, embedding)
    select a.id, 0, 'Article ' || a.id || ' on typesetting',
        base.text || ' word' || substr(b.brief_id, 3), %(embedder)s, b.embedding
    from publishing_article as a join publishing_brief as b on b.id = a.brief_id
    join base on base.n = a.id %% 500
    """,
    """
    insert into workflows_envelope (instance_id, data)
    select instance_id, jsonb_build_object('brief', payload) from publishing_brief
    """,
    """
    insert into workflows_steprecord (instance_id, generation, position, entry, attempt, output,
        sensitive, superseded, started_at, finished_at)
    select b.instance_id, 1, place - 1, entry, 1, '{"made": true}', false, false, b.created_at,
        b.created_at + interval '1 s'
    from publishing_article as a join publishing_brief as b on b.id = a.brief_id
    cross join unnest(%(stages)s::text[]) with ordinality as steps (entry, place)
    """,
    """
    insert into publishing_call (key, request_hash, state, brief_id, lane, entry, provider, model,
        buckets, held_micros, cost_micros, price_version, custom_id, batch, awaits_batch, usage,
        request_id, outcome, served, lease_until, created_at, closed_at)
    select b.brief_id || '/generate/0/body', repeat('0', 64), 'settled', b.brief_id, lane.name,
        'generate', 'text', 'claude-sonnet-5-5', '[]', 20000, 17000, 'v1', '', '', false,
        '{"input_tokens": 4000, "output_tokens": 900}', 'req', '', 0, b.created_at, b.created_at,
        b.created_at
    from publishing_article as a join publishing_brief as b on b.id = a.brief_id
    join lanes_lane as lane on lane.id = b.lane_id
    """,
)
_AFTER = (
    "create index publishing_brief_near on publishing_brief"
    " using hnsw (embedding vector_cosine_ops)",
    "create index publishing_chunk_near on publishing_chunk"
    " using hnsw (embedding vector_cosine_ops)",
    "drop table base; drop table desk",
    "analyze",
)

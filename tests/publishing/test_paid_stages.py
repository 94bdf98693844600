"""Index and cover with keys set: paid through the ledger once, then drawn and stored."""

import base64
import json
import math
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from PIL import Image
from pytest_django import Settings

from lanes.selection import compile_entries
from publishing import models as rows
from publishing.covers import asking
from publishing.demo.object_server import ObjectServer
from publishing.embedding import VectorsError, read_vectors
from publishing.ledger import UnknownPriceError
from publishing.ledger.tariffs import forget_prices
from publishing.models import (
    EMBEDDING_SIZE,
    Article,
    Call,
    Cap,
    Chunk,
    Price,
    Regeneration,
    Revision,
)
from publishing.payloads import Brief, Cover, Persisted
from publishing.providers import embeddings, originals
from publishing.search import search
from publishing.stages.cover import CoverOptions, cover, worst_case
from publishing.stages.index import index
from publishing.stages.index import worst_case as worst_case_of_index
from tests.publishing.anthropic_server import AnthropicServer, serve_anthropic
from tests.publishing.articles import make_article
from tests.publishing.image_servers import draws, jpeg, of_openai, of_workers_ai
from tests.publishing.voyage_server import TOKENS, embeddings_of, serve_voyage, vector_of
from workflows.contracts import StepContext
from workflows.errors import NonRetryableError
from workflows.graphs import store_graph
from workflows.models import Instance

pytestmark = pytest.mark.django_db(transaction=True)

OPTIONS = CoverOptions(hue=250, folio="Dev")
FLUX, GPT = asking.WORKERS_AI_MODEL, asking.OPENAI_MODEL


@pytest.fixture(autouse=True)
def house(caps: dict[str, Cap], settings: Settings, tmp_path: Path) -> None:
    """Store files in a folder; caps and prices are the seeded ones."""
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
            "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
        }
    }


@pytest.fixture
def voyage_server(settings: Settings) -> Iterator[AnthropicServer]:
    with serve_voyage() as server:
        settings.VOYAGE_BASE_URL, settings.VOYAGE_API_KEY = server.url, "sk-test"
        yield server


@pytest.fixture
def image_server(settings: Settings) -> Iterator[AnthropicServer]:
    with serve_anthropic(draws) as server:
        settings.WORKERS_AI_BASE_URL = settings.OPENAI_BASE_URL = server.url
        settings.CLOUDFLARE_ACCOUNT_ID, settings.CLOUDFLARE_API_TOKEN = "acct", "sk-test"
        yield server


def context(entry: str, generation: int = 1) -> StepContext:
    return StepContext(
        instance_id="publish:b-1",
        key="b-1",
        entry=entry,
        generation=generation,
        attempt=1,
        deadline=datetime.now(UTC) + timedelta(minutes=10),
        drain=0,
    )


def brief() -> Brief:
    return Brief(brief_id="b-1", lane="news", title="Clocks", summary="On clocks.")


def persisted(article: Article) -> Persisted:
    revision = Revision.objects.get(article=article)
    return Persisted(
        article=article.pk,
        revision=revision.pk,
        slug=article.slug,
        title=revision.title,
        summary=revision.summary,
        body=revision.body,
    )


def run_index(article: Article) -> None:
    index(brief(), persisted(article), context("index")).effect()


def run_cover() -> Cover:
    about = Persisted(article=1, revision=1, slug="s", title="Clocks", summary="On.", body="x")
    made: Cover = cover(brief(), about, OPTIONS, context("cover"))
    return made


@pytest.mark.parametrize(
    ("entry", "index_keys", "cover_keys"),
    [
        ("index", {"b-1/index/0/chunks-0-99", "b-1/index/2/chunks-0-99"},
         {"b-1/cover/0/image", "b-1/cover/2/image"}),
        ("cover", {"b-1/index/0/chunks-0-99"}, {"b-1/cover/0/image", "b-1/cover/2/image"}),
    ],
)  # fmt: skip
def test_a_regeneration_pays_again_from_its_entry_on_and_for_nothing_before_it(
    entry: str,
    index_keys: set[str],
    cover_keys: set[str],
    voyage_server: AnthropicServer,
    image_server: AnthropicServer,
) -> None:
    article = make_article()
    graph = store_graph(compile_entries(article.lane), workflow="publish")
    row = article.brief
    Instance.objects.filter(pk=row.instance_id).update(graph=graph)
    rows.Brief.objects.filter(pk=row.pk).update(brief_id="b-1")
    about = persisted(article)

    for generation in (1, 2):
        index(brief(), about, context("index", generation)).effect()
        cover(brief(), about, OPTIONS, context("cover", generation))
        Regeneration.objects.get_or_create(
            brief_id="b-1", number=2, defaults={"entry": entry, "actor": "ann", "worst_micros": 1}
        )

    paid = set(Call.objects.values_list("key", flat=True))
    assert paid == index_keys | cover_keys
    assert len(voyage_server.requests) == len(index_keys)
    assert len(image_server.requests) == len(cover_keys)


def test_vectors_are_paid_once_and_stored_under_the_models_name(
    voyage_server: AnthropicServer,
) -> None:
    article = make_article()
    run_index(article)
    run_index(article)
    (request,) = voyage_server.requests
    assert request.path == "/embeddings"
    assert (request.body["output_dimension"], request.body["truncation"]) == (256, False)
    call = Call.objects.get()
    assert (call.key, call.state) == ("b-1/index/0/chunks-0-99", "settled")
    assert call.cost_micros == math.ceil(3 * TOKENS * 20 / 1_000)
    assert set(Chunk.objects.values_list("embedder", flat=True)) == {"voyage-4-lite-256"}
    stored = Chunk.objects.get(position=0).embedding
    plain = vector_of("A title\nWhat it says.", 256)
    assert list(stored[:256]) == pytest.approx([n / math.hypot(*plain) for n in plain], abs=1e-6)
    assert list(stored[256:]) == [0.0] * (EMBEDDING_SIZE - 256)


def test_more_than_a_hundred_chunks_are_calls_of_their_own(voyage_server: AnthropicServer) -> None:
    run_index(make_article(body="\n\n".join(f"## H{n}\n\nText {n}." for n in range(120))))
    assert sorted(Call.objects.values_list("key", flat=True)) == [
        "b-1/index/0/chunks-0-99",
        "b-1/index/0/chunks-100-199",
    ]
    assert [len(request.body["input"]) for request in voyage_server.requests] == [100, 21]
    assert Chunk.objects.count() == 121


def test_an_article_that_is_too_long_to_be_bounded_is_refused_before_it_is_sent(
    voyage_server: AnthropicServer,
) -> None:
    article = make_article(body="word " * 250_000)
    with pytest.raises(NonRetryableError, match="more than the 1000000"):
        run_index(article)
    assert voyage_server.requests == []


def test_the_worst_case_of_the_index_holds_its_calls(
    voyage_server: AnthropicServer, settings: Settings
) -> None:
    run_index(make_article(body="word " * 30_000))
    calls = Call.objects.values_list("held_micros", flat=True)
    assert len(calls) == 2
    assert sum(calls) < worst_case_of_index(None)
    settings.VOYAGE_API_KEY = ""
    assert worst_case_of_index(None) == 0


def test_vectors_that_cannot_be_read_are_paid_once_and_stop(voyage_server: AnthropicServer) -> None:
    voyage_server.script = lambda exchange: exchange.reply(200, {"data": [], "usage": {}})
    article = make_article()
    for _ in range(2):
        with pytest.raises(NonRetryableError, match="paid once"):
            run_index(article)
    assert len(voyage_server.requests) == 1
    call = Call.objects.get()
    assert (call.state, call.cost_micros) == ("settled", call.held_micros)
    assert Chunk.objects.count() == 0


def bad(change: Any) -> dict[str, Any]:
    answer = embeddings_of({"model": "m", "input": ["a", "b"], "output_dimension": 256})
    change(answer["data"])
    return answer


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack("<256f", *(numbers * 256)[:256])).decode()


@pytest.mark.parametrize(
    "change",
    [
        list.pop,
        lambda rows: rows.append(dict(rows[0])),
        lambda rows: rows[1].update(index=0),
        lambda rows: rows[0].update(embedding=packed(0.0)),
        lambda rows: rows[0].update(embedding=packed(math.nan)),
        lambda rows: rows[0].update(embedding=packed(math.inf)),
        lambda rows: rows[0].update(embedding="AAAA"),
        lambda rows: rows[0].update(embedding="é"),
        lambda rows: rows[0].update(embedding=[0.1, 0.2]),
        lambda rows: rows.__setitem__(0, None),
    ],
)
def test_vectors_are_read_whole_or_not_at_all(change: Any) -> None:
    with pytest.raises(VectorsError):
        read_vectors(bad(change), 2)


def test_vectors_are_put_in_the_order_of_their_texts() -> None:
    in_order = read_vectors(bad(lambda rows: None), 2)
    assert read_vectors(bad(list.reverse), 2) == in_order


def test_a_search_pays_nothing_and_finds_words_and_spellings(
    voyage_server: AnthropicServer,
) -> None:
    article = make_article("Typography", summary="On typography.", body="Of brass.")
    article.brief.embedding = embeddings.embed(["Typography\nOn typography."])[0]
    article.brief.save()
    run_index(article)
    for query in ("brass", "typograhpy typographe"):
        assert [found.article for found in search(query)] == [article]
    assert search("photosynthesis in algae") == []
    assert len(voyage_server.requests) == 1
    assert Call.objects.count() == 1


def test_paid_vectors_find_what_means_the_same_in_other_words() -> None:
    near = [1.0] * 256 + [0.0] * 128
    far = [1.0, -1.0] * 128 + [0.0] * 128
    make_article("Horology", summary="s", body="Escapements.", indexed=True)
    make_article("Clocks", summary="s", body="Ticking.", indexed=True)
    make_article("Bread", summary="s", body="Loaves.", indexed=True)
    Chunk.objects.update(embedder="voyage-4-lite-256", embedding=near)
    Chunk.objects.filter(article__revision__title="Bread").update(embedding=far)
    assert [str(found.article) for found in search("ticking")] == ["Clocks", "Horology"]
    assert [str(found.article) for found in search('"ticking"')] == ["Clocks"]


@pytest.mark.parametrize("model", [FLUX, GPT])
def test_a_picture_is_paid_once_and_every_rendition_stored(
    image_server: AnthropicServer, settings: Settings, tmp_path: Path, model: str
) -> None:
    settings.IMAGE_MODEL, settings.OPENAI_API_KEY = model, "sk-test"
    made = run_cover()
    assert run_cover() == made
    (request,) = image_server.requests
    assert (
        request.path
        == {
            FLUX: f"/accounts/acct/ai/run/{FLUX}",
            GPT: "/images/generations",
        }[model]
    )
    assert model in made.made_by
    assert [(r.width, r.height) for r in made.renditions] == [(1200, 630), (800, 420), (400, 210)]
    with Image.open(tmp_path / made.renditions[0].key) as stored:
        pixel = stored.getpixel((900, 300))
        assert stored.format == "JPEG"
    assert pixel == pytest.approx((0, 128, 128), abs=4)
    call = Call.objects.get()
    assert (call.key, call.state) == ("b-1/cover/0/image", "settled")
    assert call.cost_micros == {FLUX: 652, GPT: 800 + 52_680}[model]
    assert len(json.dumps(call.answer)) < 500


def test_where_the_store_is_away_the_memo_keeps_the_picture(
    image_server: AnthropicServer, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "originals").write_text("in the way")
    made = run_cover()
    answer = Call.objects.get().answer
    assert answer is not None
    assert "image" in answer["result"]
    assert run_cover() == made
    assert len(image_server.requests) == 1


def test_in_a_bucket_the_picture_is_put_aside_and_read_back(
    image_server: AnthropicServer, settings: Settings
) -> None:
    with ObjectServer() as store:
        options = {
            "endpoint_url": store.url,
            "bucket_name": "covers",
            "access_key": "key",
            "secret_key": "secret",
            "public_url": "https://img.standing.example",
        }
        backend = "publishing.providers.objects.ContentAddressedS3Storage"
        settings.STORAGES = settings.STORAGES | {
            "default": {"BACKEND": backend, "OPTIONS": options}
        }
        made = run_cover()
        assert run_cover() == made
        default_storage.connection.meta.client.close()  # type: ignore[attr-defined]
    originals_put = [name for name in store.writes if name.startswith("covers/originals/")]
    assert len(originals_put) == 1
    assert len(image_server.requests) == 1


def test_a_paid_picture_that_is_lost_or_altered_is_not_paid_again(
    image_server: AnthropicServer, tmp_path: Path
) -> None:
    run_cover()
    (original,) = (path for path in (tmp_path / "originals").rglob("*") if path.is_file())
    original.write_bytes(b"other")
    with pytest.raises(NonRetryableError, match="something else"):
        run_cover()
    original.unlink()
    with pytest.raises(NonRetryableError, match="is not in the store"):
        run_cover()
    assert len(image_server.requests) == 1
    with pytest.raises(NonRetryableError, match="no digest"):
        originals.load("../../etc/passwd")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"result": {}},
        {"result": []},
        {"result": {"image": "é"}},
        {"result": {"image": None}},
        of_workers_ai(b"no picture"),
        of_workers_ai(jpeg(100)),
        of_workers_ai(jpeg()[:2000]),
    ],
)
def test_what_is_no_picture_is_paid_once_and_stops(
    image_server: AnthropicServer, answer: dict[str, Any]
) -> None:
    image_server.script = lambda exchange: exchange.reply(200, answer)
    for _ in range(2):
        with pytest.raises(NonRetryableError, match="paid once"):
            run_cover()
    assert len(image_server.requests) == 1
    assert Call.objects.get().state == "settled"


@pytest.mark.parametrize(
    "lie",
    [
        {"output_tokens": 0},
        {"output_tokens": -1},
        {"output_tokens": "9"},
        {"input_tokens": None},
        {"output_tokens": True},
    ],
)
def test_a_usage_that_cannot_be_counts_in_full(
    image_server: AnthropicServer, settings: Settings, lie: dict[str, Any]
) -> None:
    settings.IMAGE_MODEL, settings.OPENAI_API_KEY = GPT, "sk-test"
    image_server.script = lambda exchange: exchange.reply(200, of_openai(jpeg(), **lie))
    run_cover()
    call = Call.objects.get()
    assert call.cost_micros == call.held_micros


def test_without_a_key_nothing_is_paid_and_the_cover_is_set_in_type(
    image_server: AnthropicServer, settings: Settings
) -> None:
    settings.CLOUDFLARE_API_TOKEN = ""
    assert run_cover().made_by == "presswork typographic cover"
    assert worst_case(OPTIONS) == 0
    assert (image_server.requests, Call.objects.count()) == ([], 0)


def test_the_worst_case_of_the_step_holds_the_call(image_server: AnthropicServer) -> None:
    run_cover()
    assert Call.objects.get().held_micros <= worst_case(OPTIONS) == 652


def test_an_unknown_price_is_refused_and_nothing_is_sent(
    image_server: AnthropicServer, voyage_server: AnthropicServer
) -> None:
    article = make_article()
    Price.objects.all().delete()
    forget_prices()
    with pytest.raises(UnknownPriceError):
        run_cover()
    with pytest.raises(UnknownPriceError):
        run_index(article)
    assert (image_server.requests, voyage_server.requests) == ([], [])


def test_of_two_vendors_the_cheaper_draws_unless_the_other_is_named(settings: Settings) -> None:
    settings.OPENAI_API_KEY = "sk-test"
    assert asking.model_in_use() == GPT
    settings.CLOUDFLARE_ACCOUNT_ID, settings.CLOUDFLARE_API_TOKEN = "acct", "sk-test"
    assert asking.model_in_use() == FLUX
    settings.IMAGE_MODEL = GPT
    assert asking.model_in_use() == GPT
    settings.OPENAI_API_KEY = ""
    assert asking.model_in_use() == ""

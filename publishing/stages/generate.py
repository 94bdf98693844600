"""generate: one paid call writes the article; without a key the offline author composes it.

The answer is stored by the ledger before it is read, so what cannot be read is never paid again.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from pydantic import Field

from lanes.contracts import BundleSpecs
from publishing import ledger
from publishing.ledger import PaidCall
from publishing.payloads import Brief, Citation, Draft, Grounded, WrittenBy
from publishing.writing.answers import read_answer
from publishing.writing.offline_author import compose
from publishing.writing.prompting import build_request
from workflows.contracts import Contract, StepContext, StepOptions
from workflows.registry import step
from workflows.retries import RetryPolicy

# 8,000 tokens take about two minutes; the rest is for a slow day.
CALL_TIMEOUT = timedelta(minutes=5)
_SPARE = timedelta(seconds=30)  # kept before the attempt's deadline to settle and to read

# Six tries over about ten minutes: an overload of the vendor passes in that time or lasts hours.
POLICY = RetryPolicy(retries=5, delay=timedelta(seconds=20), timeout=timedelta(minutes=10))


class GenerateOptions(StepOptions):
    """How the article is written.

    Attributes:
        model: exact id of a priced model; None for the setting TEXT_MODEL.
        max_tokens: of the answer, thinking included.
        prompt_bytes: of the whole request; the sources' texts are shortened to fit.
        economy: written at half price, within a day, while the instance waits without a worker.
    """

    model: str | None = None
    max_tokens: int = Field(default=8_000, ge=500, le=64_000)
    prompt_bytes: int = Field(default=160_000, ge=20_000, le=2_000_000)
    economy: bool = False

    @property
    def model_in_use(self) -> str:
        """The model that is asked."""
        return self.model or str(settings.TEXT_MODEL)


class Written(Contract):
    """What the model answers, by the schema that it was given."""

    title: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    body: str = Field(min_length=1)
    tags: list[str]
    citations: list[Citation]


def worst_case(options: GenerateOptions) -> int:
    """Return the most micro-dollars that one article's text may cost; 0 without a key."""
    if not settings.ANTHROPIC_API_KEY:
        return 0
    return ledger.worst_of_bytes(
        options.model_in_use,
        prompt_bytes=options.prompt_bytes,
        max_tokens=options.max_tokens,
        is_batch=options.economy,
    )


@step("generate", policy=POLICY, worst_case=worst_case)
def generate(
    brief: Brief,
    grounded: Grounded,
    bundle: BundleSpecs,
    options: GenerateOptions,
    context: StepContext,
) -> Draft:
    """Write the article of a brief from its fetched sources.

    Raises:
        NonRetryableError: refused, cut off or unreadable; it is paid and shown, not paid again.
        Park, RetryableError: as `ledger.pay` has it.
    """
    ordered = ledger.regeneration_in_force(
        brief.brief_id, entry=context.entry, generation=context.generation
    )
    bundle = ordered.bundle or bundle
    if not settings.ANTHROPIC_API_KEY:
        return _compose_offline(brief, grounded, bundle)
    answer = ledger.pay(
        PaidCall(
            provider="text",
            brief_id=brief.brief_id,
            lane=brief.lane,
            entry=context.entry,
            label="body",
            regeneration=ordered.number,
            bundle=bundle.version,
            request=build_request(
                brief,
                grounded,
                bundle,
                model=options.model_in_use,
                max_tokens=options.max_tokens,
                most_bytes=options.prompt_bytes,
            ),
            deadline=min(datetime.now(UTC) + CALL_TIMEOUT, context.deadline - _SPARE),
            drain=context.drain,
            economy=options.economy,
        )
    )
    written = read_answer(answer, Written, what="article")
    return Draft(
        title=written.title,
        summary=written.summary,
        body=written.body,
        tags=written.tags,
        citations=written.citations,
        written_by=WrittenBy(
            author="anthropic",
            model=str(answer.body.get("model") or options.model_in_use),
            bundle=bundle.version,
            cost_micros=answer.cost_micros,
        ),
    )


def _compose_offline(brief: Brief, grounded: Grounded, bundle: BundleSpecs) -> Draft:
    composed = compose(brief, grounded)
    return Draft(
        title=composed.title,
        summary=composed.summary,
        body=composed.body,
        tags=brief.tags,
        citations=composed.citations,
        written_by=WrittenBy(author="offline", bundle=bundle.version),
    )

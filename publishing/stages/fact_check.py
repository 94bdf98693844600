"""fact_check: each claim of the draft against the fetched sources; what fails flags the article.

The text is never rewritten: title, summary and body leave as they came. With a key one paid call
judges the claims; without one their numbers, names and quotes are looked for in the sources.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from pydantic import Field

from publishing import ledger
from publishing.directives import read
from publishing.ledger import PaidCall
from publishing.payloads import Brief, Draft, FetchedSource, Grounded
from publishing.writing.answers import read_answer
from publishing.writing.checking import Verdicts, build_check_request
from publishing.writing.claims import read_claims
from publishing.writing.comparing import compare
from publishing.writing.verdicts import Told, tell_verdicts
from workflows.contracts import StepContext, StepOptions
from workflows.registry import step
from workflows.retries import RetryPolicy

CALL_TIMEOUT = timedelta(minutes=5)  # as long as an article may take
_SPARE = timedelta(seconds=30)  # kept before the attempt's deadline to settle and to read

# Six tries over about ten minutes: an overload of the vendor passes in that time or lasts hours.
POLICY = RetryPolicy(retries=5, delay=timedelta(seconds=20), timeout=timedelta(minutes=10))


class FactCheckOptions(StepOptions):
    """How the claims are judged.

    Attributes:
        model: exact id of a priced model; None for the setting TEXT_MODEL.
        max_tokens: of the answer, thinking included.
        prompt_bytes: of the whole request; the sources' texts are shortened to fit.
        economy: judged at half price, within a day, while the instance waits without a worker.
    """

    model: str | None = None
    max_tokens: int = Field(default=8_000, ge=500, le=64_000)
    prompt_bytes: int = Field(default=160_000, ge=20_000, le=2_000_000)
    economy: bool = False

    @property
    def model_in_use(self) -> str:
        """The model that is asked."""
        return self.model or str(settings.TEXT_MODEL)


def worst_case(options: FactCheckOptions) -> int:
    """Return the most micro-dollars that one check may cost; 0 without a key."""
    if not settings.ANTHROPIC_API_KEY:
        return 0
    return ledger.worst_of_bytes(
        options.model_in_use,
        prompt_bytes=options.prompt_bytes,
        max_tokens=options.max_tokens,
        is_batch=options.economy,
    )


@step("fact_check", policy=POLICY, worst_case=worst_case)
def fact_check(
    brief: Brief,
    grounded: Grounded,
    draft: Draft,
    options: FactCheckOptions,
    context: StepContext,
) -> Draft:
    """Return the draft with a flag for each claim that the sources do not bear out.

    Raises:
        NonRetryableError: refused, cut off or unreadable; it is paid and shown, not paid again.
        Park, RetryableError: as `ledger.pay` has it.
    """
    sources = [source for source in grounded.fetched if source.text.strip()]
    if not sources:
        told = Told(flags=[], findings=["nothing was fact-checked: no source was fetched"])
    elif settings.ANTHROPIC_API_KEY:
        told = _ask(brief, draft, sources, options, context)
    else:
        told = _compare(draft, sources)
    return draft.model_copy(
        update={
            "flags": [*draft.flags, *told.flags],
            "findings": [*draft.findings, *told.findings],
        }
    )


def _ask(
    brief: Brief,
    draft: Draft,
    sources: list[FetchedSource],
    options: FactCheckOptions,
    context: StepContext,
) -> Told:
    ordered = ledger.regeneration_in_force(
        brief.brief_id, entry=context.entry, generation=context.generation
    )
    request = build_check_request(
        draft,
        sources,
        model=options.model_in_use,
        max_tokens=options.max_tokens,
        most_bytes=options.prompt_bytes,
    )
    answer = ledger.pay(
        PaidCall(
            provider="text",
            brief_id=brief.brief_id,
            lane=brief.lane,
            entry=context.entry,
            label="claims",
            regeneration=ordered.number,
            bundle=draft.written_by.bundle,
            request=request,
            deadline=min(datetime.now(UTC) + CALL_TIMEOUT, context.deadline - _SPARE),
            drain=context.drain,
            economy=options.economy,
        )
    )
    verdicts = read_answer(answer, Verdicts, what="fact-check")
    model = str(answer.body.get("model") or options.model_in_use)
    return tell_verdicts(draft, verdicts.claims, checked_by=model)


def _compare(draft: Draft, sources: list[FetchedSource]) -> Told:
    claims = read_claims(read(draft.body))
    flags = list(compare(claims, sources))
    told = (
        "fact-check without a model: the numbers, names and quotes of "
        f"{len(claims)} cited sentences were looked for in their sources; {len(flags)} have some "
        "that were not found"
    )
    return Told(flags=flags, findings=[told])

"""prompt: one paid call with an editor's template; its answer is a note, or a contract they name.

What it reads and returns is in its options, so a graph can have any number of them. Without a key
no model is asked, and what comes out says so.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from pydantic import Field

from publishing import ledger
from publishing.ledger import PaidCall, UnknownPriceError
from publishing.ledger.prices import worst_case as worst_of_request
from publishing.payloads import Brief, Note
from publishing.writing.answers import read_answer
from publishing.writing.asking import build_prompt_request, least_bytes
from publishing.writing.offers import Offer, read_offer
from publishing.writing.templates import inputs_of, name_of, read_template
from workflows.contracts import Binding, Bound, BoundInput, Contract, StepContext, StepOptions
from workflows.errors import ContractError, NonRetryableError
from workflows.registry import register_contract, step
from workflows.retries import RetryPolicy

CALL_TIMEOUT = timedelta(minutes=5)  # as long as an article may take
_SPARE = timedelta(seconds=30)  # kept before the attempt's deadline to settle and to read

# Six tries over about ten minutes: an overload of the vendor passes in that time or lasts hours.
POLICY = RetryPolicy(retries=5, delay=timedelta(seconds=20), timeout=timedelta(minutes=10))

NOT_ASKED = "no model was asked: ANTHROPIC_API_KEY is not set"

register_contract(Note)


class PromptOptions(StepOptions):
    """What an editor asks of a model, and what the answer is.

    Attributes:
        template: words with `{{ type.field }}`; see `publishing.writing.templates`.
        model: exact id of a priced model; None for the setting TEXT_MODEL.
        max_tokens: of the answer, thinking included.
        cap_micros: the most that one call of this entry may cost, in micro-dollars; the ledger's
            caps hold besides.
        prompt_bytes: of the whole request; fields are shortened to fit.
        provides: name of the contract that the answer is; empty for a `Note`.
        economy: answered at half price, within a day, while the instance waits without a worker.
    """

    template: str = Field(max_length=20_000)
    model: str | None = None
    max_tokens: int = Field(default=2_000, ge=100, le=64_000)
    cap_micros: int | None = Field(default=None, ge=1)
    prompt_bytes: int = Field(default=60_000, ge=5_000, le=2_000_000)
    provides: str = ""
    economy: bool = False

    @property
    def model_in_use(self) -> str:
        """The model that is asked."""
        return self.model or str(settings.TEXT_MODEL)


def bind(options: PromptOptions) -> Binding:
    """Return what the template reads and what the answer is.

    An earlier output of the contract that the answer is, if there is one, is read as well: it goes
    on unchanged where no model can be asked, and has what no model may say.

    Raises:
        ContractError: the template or the contract does not fit; with what would.
    """
    named = inputs_of(read_template(options.template))
    offer = read_offer(options.provides)
    inputs = {name: BoundInput(contract, "template") for name, contract in named.items()}
    if offer.contract is not Note:
        earlier = BoundInput(offer.contract, "provides", is_required=bool(offer.carried))
        inputs.setdefault(name_of(offer.contract), earlier)
    return Binding(inputs=inputs, output=offer.contract)


def judge(options: PromptOptions) -> None:
    """Refuse what could never be sent.

    Raises:
        ContractError: the model has no price, the cap is below the worst case, or the template is
            longer than its request may be.
    """
    least = least_bytes(
        read_template(options.template),
        read_offer(options.provides).schema,
        model=options.model_in_use,
        max_tokens=options.max_tokens,
    )
    if least > options.prompt_bytes:
        raise ContractError("prompt_bytes", f"leaves its fields no room; {least} is the least")
    try:
        worst_micros = _worst_if_asked(options)
    except UnknownPriceError as error:
        raise ContractError("model", str(error)) from None
    if options.cap_micros is not None and options.cap_micros < worst_micros:
        raise ContractError(
            "cap_micros",
            f"the call may cost {worst_micros} micro-dollars ({options.prompt_bytes} prompt_bytes, "
            f"{options.max_tokens} max_tokens, {options.model_in_use}); raise it to that or lower "
            "those",
        )


def worst_case(options: PromptOptions) -> int:
    """Return the most micro-dollars that one answer may cost; 0 without a key."""
    return _worst_if_asked(options) if settings.ANTHROPIC_API_KEY else 0


@step("prompt", policy=POLICY, worst_case=worst_case, binds=bind, judge=judge)
def prompt(brief: Brief, options: PromptOptions, bound: Bound, context: StepContext) -> Contract:
    """Ask a model what the template says, and return its answer as the bound contract.

    Raises:
        NonRetryableError: refused, cut off or unreadable; it is paid and shown, not paid again.
            Or dearer than its own cap, or there is neither a key nor anything to go on with.
        Park, RetryableError: as `ledger.pay` has it.
    """
    offer = read_offer(options.provides)
    if not settings.ANTHROPIC_API_KEY:
        return _go_on_unasked(offer, bound, context)
    answer = ledger.pay(_call(brief, options, bound, context, offer))
    known = {name: getattr(bound.inputs[name_of(offer.contract)], name) for name in offer.carried}
    return read_answer(answer, offer.contract, what="answer", known=known)


def _call(
    brief: Brief, options: PromptOptions, bound: Bound, context: StepContext, offer: Offer
) -> PaidCall:
    ordered = ledger.regeneration_in_force(
        brief.brief_id, entry=context.entry, generation=context.generation
    )
    request = build_prompt_request(
        read_template(options.template),
        bound.inputs,
        offer.schema,
        model=options.model_in_use,
        max_tokens=options.max_tokens,
        most_bytes=options.prompt_bytes,
    )
    worst_micros = worst_of_request(request, is_batch=options.economy)
    if options.cap_micros is not None and options.cap_micros < worst_micros:
        raise NonRetryableError(
            f"{context.entry}: the call may cost {worst_micros} micro-dollars, more than its "
            f"cap_micros of {options.cap_micros}; nothing was sent. Raise the cap in the lane's "
            "graph, or lower prompt_bytes or max_tokens"
        )
    return PaidCall(
        provider="text",
        brief_id=brief.brief_id,
        lane=brief.lane,
        entry=context.entry,
        label="prompt",
        regeneration=ordered.number,
        request=request,
        deadline=min(datetime.now(UTC) + CALL_TIMEOUT, context.deadline - _SPARE),
        drain=context.drain,
        economy=options.economy,
    )


def _go_on_unasked(offer: Offer, bound: Bound, context: StepContext) -> Contract:
    if offer.contract is Note:
        return Note(text=f"{context.entry}: {NOT_ASKED}.", flags=[NOT_ASKED])
    earlier = bound.inputs.get(name_of(offer.contract))
    if earlier is None:
        raise NonRetryableError(
            f"{context.entry}: {NOT_ASKED}, and no earlier entry returns a "
            f"{offer.contract.__name__} to go on with. Set the key and retry"
        )
    flags = getattr(earlier, "flags", None)
    if not isinstance(flags, list):
        return earlier
    return earlier.model_copy(update={"flags": [*flags, f"{context.entry}: {NOT_ASKED}"]})


def _worst_if_asked(options: PromptOptions) -> int:
    return ledger.worst_of_bytes(
        options.model_in_use,
        prompt_bytes=options.prompt_bytes,
        max_tokens=options.max_tokens,
        is_batch=options.economy,
    )

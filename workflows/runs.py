"""One drive of an instance: its claim as it moves, its plan, and the outputs read so far."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from workflows.claims import Claim
from workflows.contracts import Bound, Contract, StepContext
from workflows.errors import ContractError, OutputError, plain
from workflows.graphs import Entry, Plan, StepEntry
from workflows.records import JsonText, Moved
from workflows.registry import get_workflow
from workflows.retries import RetryPolicy

ENVELOPE = ""  # no entry has this name
OUTPUT_BYTES_MAX = 1024 * 1024  # as on Cloudflare Workflows


@dataclass
class Run:
    """What one drive knows.

    Attributes:
        claim: moves on with each record.
        outputs: of the entries that the remaining steps read, by name.
        parsed: those outputs, and what the envelope provides, as contracts.
    """

    claim: Claim
    plan: Plan
    envelope: Mapping[str, Any]
    outputs: dict[str, Any]
    parsed: dict[tuple[str, type[Contract]], Contract] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The entry that it stands at."""
        return self.plan.entries[self.claim.position]

    @property
    def is_last(self) -> bool:
        """Whether no entry follows."""
        return self.claim.position == len(self.plan.entries) - 1

    @property
    def policy(self) -> RetryPolicy | None:
        """The retry policy that holds for the entry; None at a wait."""
        if not isinstance(self.entry, StepEntry):
            return None
        return self.entry.policy.or_frozen(self.claim.policy)

    def move(self, output: Any, moved: Moved) -> None:
        """Stand at the next entry, begun."""
        self.outputs[self.entry.name] = output
        self.claim = replace(
            self.claim,
            position=self.claim.position + 1,
            attempt=1,
            failures=0,
            crashes=0,
            attempt_started_at=moved.at,
            inbox=moved.inbox,
            deadline_at=None,
            policy=None,
        )

    def arguments(self, entry: StepEntry, deadline: datetime) -> dict[str, Any]:
        """Return what the step is called with.

        Raises:
            ContractError: a recorded output does not fit what the step takes.
        """
        step = entry.step
        inputs = {
            name: self._input(contract, entry.wiring[name])
            for name, contract in entry.inputs.items()
        }
        arguments: dict[str, Any] = {parameter: inputs[parameter] for parameter in step.inputs}
        if step.options is not None:
            arguments[step.options[0]] = entry.options
        if step.bound is not None:
            own = {name: inputs[name] for name in entry.bound_inputs}
            arguments[step.bound] = Bound(inputs=own, output=entry.output)
        if step.context is not None:
            arguments[step.context] = self._context(entry, deadline)
        return arguments

    def _context(self, entry: StepEntry, deadline: datetime) -> StepContext:
        return StepContext(
            instance_id=self.claim.instance_id,
            key=self.claim.key,
            entry=entry.name,
            generation=self.claim.generation,
            attempt=self.claim.attempt,
            deadline=deadline,
            drain=self.claim.drain,
            failures=self.claim.failures,
        )

    def _input(self, contract: type[Contract], provider: int | None) -> Contract:
        if provider is not None:
            return self.output(contract, provider)
        if (ENVELOPE, contract) not in self.parsed:
            self.parsed[ENVELOPE, contract] = parse_envelope(
                self.claim.workflow, contract, self.envelope
            )
        return self.parsed[ENVELOPE, contract]

    def output(self, contract: type[Contract], position: int) -> Contract:
        """Return the recorded output of an earlier entry.

        Raises:
            ContractError: it does not fit the contract.
        """
        name = self.plan.entries[position].name
        if (name, contract) not in self.parsed:
            self.parsed[name, contract] = parse_output(name, contract, self._output(name))
        return self.parsed[name, contract]

    def _output(self, name: str) -> Any:
        """Return a recorded output as JSON; one of this drive is still text."""
        output = self.outputs[name]
        if isinstance(output, JsonText):
            output = self.outputs[name] = json.loads(output)
        return output


def parse_output(name: str, contract: type[Contract], output: Any) -> Contract:
    """Return a recorded output as the contract.

    Raises:
        ContractError: with the JSON path of the first place that does not fit; never its value.
    """
    try:
        return contract.model_validate(output)
    except ValidationError as error:
        raise _drifted(error, name, contract) from None


def parse_envelope(
    workflow: str, contract: type[Contract], envelope: Mapping[str, Any]
) -> Contract:
    """Return what the workflow's envelope provides as the contract.

    Raises:
        ContractError: with the JSON path of the first place that does not fit; never its value.
    """
    try:
        return get_workflow(workflow).provides[contract](envelope)
    except ValidationError as error:
        raise _drifted(error, "envelope", contract) from None


def recordable(entry: StepEntry, returned: object) -> JsonText:
    """Return a step's output as JSON.

    Raises:
        OutputError: it is of another type, no JSON, too large, or what Postgres cannot hold.
    """
    if not isinstance(returned, entry.output):
        raise OutputError(
            f"{entry.name} returned {type(returned).__name__}, not {entry.output.__name__}"
        )
    try:
        text = returned.model_dump_json()
        size = len(text.encode())
    except ValueError as error:
        raise OutputError(f"{entry.name} returned what is no JSON: {plain(str(error))}") from None
    if size > OUTPUT_BYTES_MAX:
        raise OutputError(
            f"{entry.name} returned {size} bytes; {OUTPUT_BYTES_MAX} (1 MiB) is the most. Store "
            "what is large elsewhere and return where it is"
        )
    if "\\u0000" in text:
        raise OutputError(f"{entry.name} returned a text with NUL, which Postgres cannot hold")
    return JsonText(text)


def _drifted(error: ValidationError, name: str, contract: type[Contract]) -> ContractError:
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(part) for part in (name, *first["loc"]))
    return ContractError(path, f"does not fit {contract.__name__}: {first['msg']}")

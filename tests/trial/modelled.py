"""Steps that a property test conducts: what each call does is decided by whoever arranged it.

They live in the process of the test, keep nothing, and take the latest value before them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from workflows.contracts import Contract, StepContext, Transaction
from workflows.registry import Retention, register_workflow, step
from workflows.retries import RetryPolicy

RETRIES = 1
POLICY = RetryPolicy(retries=RETRIES, delay=timedelta(seconds=1000), backoff="constant")
RETENTION = timedelta(days=1)


class Said(Contract):
    """A value, handed on from step to step; the first one comes from the envelope."""

    value: str


Perform = Callable[[StepContext, str], str]
_perform: Perform


def arrange(perform: Perform) -> None:
    """Let `perform(context, value taken)` decide what steps return or raise from now on."""
    global _perform
    _perform = perform


def _said(envelope: Any) -> Said:
    return Said(value=envelope["value"])


register_workflow(
    "modelled",
    provides={Said: _said},
    retention=Retention(success=RETENTION, error=RETENTION),
    schedulable=False,
)


@step("modelled_plain", policy=POLICY)
def plain(said: Said, context: StepContext) -> Said:
    """Do what was arranged."""
    return Said(value=_perform(context, said.value))


@step("modelled_effect", policy=POLICY)
def effect(said: Said, context: StepContext) -> Transaction[Said]:
    """Do what was arranged in the transaction that also writes the record."""
    return Transaction(lambda: Said(value=_perform(context, said.value)))

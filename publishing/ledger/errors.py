"""What the ledger refuses for good; what passes by itself is a `Park`."""

from workflows.errors import NonRetryableError


class UnknownPriceError(NonRetryableError):
    """The model has no price here, so its cost could not be bounded; nothing was sent."""


class MissingCapError(NonRetryableError):
    """A scope has no cap, so nothing would bound what it spends; nothing was sent."""


class OverCapError(NonRetryableError):
    """One request alone is dearer than a cap: it can never fit; nothing was sent."""


class OnlyTextsError(NonRetryableError):
    """Something else than a text was to be paid at half price; nothing was sent."""


class OpenTransactionError(RuntimeError):
    """The ledger was entered within a transaction: its hold could be rolled back, a bug."""

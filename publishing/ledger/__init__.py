"""The one door to paid providers: no request leaves without money set aside for it.

A settled answer is never paid for again. A call whose answer was lost counts in full and may be
sent again, at most three sends a key. Spent and held stay within every cap at every commit.
"""

from publishing.ledger.door import pay
from publishing.ledger.errors import (
    MissingCapError,
    OpenTransactionError,
    OverCapError,
    UnknownPriceError,
)
from publishing.ledger.keys import Answer, PaidCall
from publishing.ledger.prices import Estimate, estimate, worst_of_bytes
from publishing.ledger.regenerations import regeneration_in_force
from publishing.ledger.settle import sweep
from publishing.ledger.waking import wake_what_fits

__all__ = [
    "Answer",
    "Estimate",
    "MissingCapError",
    "OpenTransactionError",
    "OverCapError",
    "PaidCall",
    "UnknownPriceError",
    "estimate",
    "pay",
    "regeneration_in_force",
    "sweep",
    "wake_what_fits",
    "worst_of_bytes",
]

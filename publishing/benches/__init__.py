"""Benches: what the product costs in time, measured in a database that is made and dropped for it.

Every figure stands beside a yardstick of the same run, so that two machines can be compared.
"""

from collections.abc import Callable, Mapping

from publishing.benches import pages, spend
from publishing.benches.report import Report, Size

BENCHES: Mapping[str, Callable[[Size], Report]] = {
    "pages": pages.measure,
    "spend": spend.measure,
}

__all__ = ["BENCHES", "Report", "Size"]

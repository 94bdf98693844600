"""Benches: what the product costs in time, measured in a database that is made and dropped for it.

Every figure stands beside a yardstick of the same run, so that two machines can be compared.
"""

from collections.abc import Mapping

# By module, imported when it is run: what one registers for itself is nobody else's.
BENCHES: Mapping[str, str] = {
    "api": "publishing.benches.api",
    "engine": "publishing.benches.engine",
    "pages": "publishing.benches.pages",
    "pipeline": "publishing.benches.pipeline",
    "spend": "publishing.benches.spend",
}
# What a bench may be told besides its size.
OPTIONS: Mapping[str, frozenset[str]] = {"engine": frozenset({"only", "peers"})}

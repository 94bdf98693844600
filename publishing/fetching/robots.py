"""Whether a site lets programs read a page that nobody named to us (RFC 9309).

A source of a brief is not asked about: its routine answers for it, as a reader does for a click.
"""

from datetime import datetime
from urllib.parse import urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser

from publishing.fetching.web import DeadPageError, UnreachablePageError, fetch

AGENT = "Presswork"  # the product token of our User-Agent


class Robots:
    """What the sites of one run say; each is asked once."""

    def __init__(self, deadline: datetime) -> None:
        self._deadline = deadline
        self._rules: dict[str, RobotFileParser | bool] = {}

    def allow(self, url: str) -> bool:
        """Return whether the page may be read; a site that does not answer allows nothing."""
        scheme, site, *_ = urlsplit(url)
        if site not in self._rules:
            self._rules[site] = self._ask(urlunsplit((scheme, site, "/robots.txt", "", "")))
        rules = self._rules[site]
        return rules if isinstance(rules, bool) else rules.can_fetch(AGENT, url)

    def _ask(self, url: str) -> RobotFileParser | bool:
        try:
            found = fetch(url, deadline=self._deadline)
        except DeadPageError:  # it has none: RFC 9309 2.3.1.3
            return True
        except UnreachablePageError:  # 2.3.1.4
            return False
        rules = RobotFileParser()
        rules.parse(found.body.decode("utf-8", errors="replace").splitlines())
        return rules

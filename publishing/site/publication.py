"""What the publication is called, and its addresses as the rest of the world writes them."""

from urllib.parse import urljoin

from django.conf import settings

NAME = "Standing Type"
ABOUT = (
    "Type that is kept set, to be used again. Every article here is written by software from "
    "the sources that are printed beside it."
)


def absolute(url: str) -> str:
    """Return the whole URL of a path of this site; a whole URL is left as it is."""
    return urljoin(f"{settings.SITE_URL}/", url)

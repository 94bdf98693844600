"""Settings under which gunicorn serves the bare view of `bench api`: the product's, and its own."""

from publishing.settings import *  # noqa: F403

ROOT_URLCONF = "publishing.benches.bare"
MIDDLEWARE = []

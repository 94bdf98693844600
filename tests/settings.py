"""Settings of the tests: the product's, and three more apps whose steps the engine is tried with.

They also say where tests live, so that `pytest`, mypy and child processes need no environment.
Processes that share a run (`pytest -n 2`) have a folder and a server each.
"""

import os
from pathlib import Path

os.environ.setdefault("DATA_DIR", str(Path(__file__).parents[1] / "var" / "test"))
if _share := os.environ.pop("PYTEST_XDIST_WORKER", ""):
    os.environ["DATA_DIR"] += f"-{_share}"
os.environ.setdefault("DEBUG", "1")
os.environ["ALLOWED_HOSTS"] = "localhost,127.0.0.1,[::1]"
_OUTSIDE = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "CLOUDFLARE_ACCOUNT_ID",
    "CLOUDFLARE_API_TOKEN",
    "EMBEDDING_MODEL",
    "IMAGE_MODEL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "S3_BUCKET",
    "VOYAGE_API_KEY",
    "VOYAGE_BASE_URL",
    "WORKERS_AI_BASE_URL",
)
for _name in _OUTSIDE:
    os.environ.pop(_name, None)  # no test pays, or writes to somebody's bucket

from publishing.settings import *  # noqa: E402, F403
from publishing.settings import INSTALLED_APPS  # noqa: E402
from tests.arming import arm_from_environment  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.trial", "tests.tour", "tests.plugin"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

arm_from_environment()

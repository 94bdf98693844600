"""A SECRET_KEY for development, kept in DATA_DIR so that every process has the same one."""

import os
import secrets
from pathlib import Path


def kept_secret(data_dir: Path) -> str:
    """Return the secret kept in the folder; the first of any number of callers makes it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "secret_key"
    fresh = data_dir / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        fresh.write_text(secrets.token_urlsafe(50))
        fresh.chmod(0o600)
        try:
            os.link(fresh, path)  # fails if another process was first: its secret stands
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()

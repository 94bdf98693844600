"""As whom Postgres runs: as the caller, or, because it refuses root, as an account that exists.

No account is made and no folder above the cluster is opened to others. Where root's server must
pass a folder that is closed to its account (a clone below /root), it is given the one capability
of Linux that lets it pass and read; nothing on disk changes.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from publishing.embedded_postgres.cluster import Cluster, binary
from publishing.embedded_postgres.errors import EmbeddedPostgresError

UNPRIVILEGED_ACCOUNT = "nobody"
# Bits of a capability set, linux/capability.h; the weaker first. Containers often lack the first.
_CAPABILITIES_TO_PASS = {"dac_read_search": 2, "dac_override": 1}


@dataclass(frozen=True)
class Account:
    """The user of the server's processes, and what goes before their command line."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def give(self, path: Path) -> None:
        """Make the account the owner of a file or folder of ours."""
        if self.prefix:
            os.chown(path, self.uid, self.gid)


def account_for(cluster: Cluster) -> Account:
    """Return the account that the cluster's server runs as.

    Raises:
        EmbeddedPostgresError: root cannot change to it, or it cannot reach data or programs.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    uid, gid = _ids_below_root(cluster)
    if (setpriv := shutil.which("setpriv")) is None:
        raise EmbeddedPostgresError(
            "Postgres does not run as root, and the program setpriv (Debian package util-linux), "
            "which changes to another account, is missing. Install it, work as another user, or "
            "set DATABASE_URL."
        )
    prefix = [setpriv, "--reuid", str(uid), "--regid", str(gid), "--clear-groups"]
    if closed := _closed_folder(cluster, uid=uid, gid=gid):
        capability = f"+{_capability_to_pass(closed, uid=uid)}"
        prefix += ["--inh-caps", capability, "--ambient-caps", capability]
        # initdb asks access(2) about its programs, which without this looks at no capability.
        prefix += ["--securebits", "+no_setuid_fixup"]
    return Account(uid, gid, (*prefix, "--"))


def _ids_below_root(cluster: Cluster) -> tuple[int, int]:
    if cluster.data.exists() and (owner := cluster.data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_ACCOUNT)
    except KeyError:
        raise EmbeddedPostgresError(
            f"Postgres does not run as root, and there is no account {UNPRIVILEGED_ACCOUNT!r} to "
            "run it as. Work as another user, or set DATABASE_URL."
        ) from None
    return entry.pw_uid, entry.pw_gid


def _closed_folder(cluster: Cluster, *, uid: int, gid: int) -> Path | None:
    """Return the outermost folder on the way to data or programs that the account cannot enter."""
    for path in (cluster.folder, binary("postgres").parent):
        for folder in [*reversed(path.parents), path]:
            if not _may_enter(folder, uid=uid, gid=gid):
                return folder
    return None


def _may_enter(folder: Path, *, uid: int, gid: int) -> bool:
    found = folder.stat()
    if found.st_uid == uid:
        return bool(found.st_mode & 0o100)
    return bool(found.st_mode & (0o010 if found.st_gid == gid else 0o001))


def _capability_to_pass(closed: Path, *, uid: int) -> str:
    status = Path("/proc/self/status").read_text()
    held = next(int(line.split()[1], 16) for line in status.splitlines() if "CapEff" in line)
    for name, bit in _CAPABILITIES_TO_PASS.items():
        if held >> bit & 1:
            return name
    raise EmbeddedPostgresError(
        f"{closed} is closed to user {uid}, as whom Postgres runs because it refuses root. Open "
        f"it (`chmod o+x {closed}`), have DATA_DIR and the clone elsewhere, or set DATABASE_URL."
    )

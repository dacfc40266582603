"""The var folder: whose it is, who may enter it, and files in it that only its owner reads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import secrets
import subprocess
import tempfile
from pathlib import Path

from tcpdashboard.embedded.errors import CannotStartError

# A Unix socket's address holds 107 bytes; the longest file name put there has 20.
LONGEST_SOCKET_FOLDER = 85
# PostgreSQL's clients take a comma in it for two folders.
PLAIN = re.compile(rb"[\w./@+ -]+")


def claim(var_dir: Path) -> None:
    """Make the var folder, or make sure that it is this user's. Raises CannotStartError."""
    # Root's database runs as another user, who must be able to pass through, not to look.
    _make(var_dir, 0o711 if os.geteuid() == 0 else 0o700)
    _make(var_dir / "run", 0o700)


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStartError(
            f"cannot make the folder {folder} ({error.strerror}): set TCPD_VAR to another folder"
        ) from error
    refuse_foreign(folder)


def refuse_foreign(folder: Path) -> None:
    """Raise CannotStartError when `folder` belongs to another user."""
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise CannotStartError(
            f"{folder} belongs to {user_name(owner)}, you are {user_name(os.geteuid())}: "
            "use the same user as before, or set TCPD_VAR to another folder"
        )


def user_name(uid: int) -> str:
    """Return the name of a user, or its number when it has none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"


def unprivileged_user() -> tuple[int, int] | None:
    """Return (uid, gid) that the database runs as when this process is root, else None."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise CannotStartError(
            "PostgreSQL does not run as root and there is no user nobody: use an ordinary user"
        ) from error
    return nobody.pw_uid, nobody.pw_gid


def can_enter(folder: Path, user: tuple[int, int]) -> bool:
    """Say whether that user can go into `folder`, through all its parents."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=user[0],
        group=user[1],
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def socket_folder(preferred: Path, user: tuple[int, int] | None) -> Path:
    """Return a folder for a Unix socket: `preferred`, or a private one with a short plain path."""
    path = os.fsencode(preferred)
    if len(path) <= LONGEST_SOCKET_FOLDER and PLAIN.fullmatch(path):
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"tcpdashboard-{digest}"
    owner = user[0] if user else os.geteuid()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user:
            os.chown(folder, *user)
    found = folder.lstat()
    # Anyone may have made it first in a folder that all can write to.
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
        raise CannotStartError(
            f"{folder} is not a private folder of {user_name(owner)}: remove it, "
            "or set TCPD_VAR to a folder with a shorter path"
        )
    return folder


def write_private(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Write `text` to `path` in one step; only the owner may read it (mode 600).

    `owner` is (uid, gid) where that is not this process's user.
    """
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if owner:
            os.fchown(file.fileno(), *owner)
    new.replace(path)


def kept_secret(path: Path) -> str:
    """Return the secret kept in `path`; make a random one of 64 characters at the first call."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    secret = secrets.token_urlsafe(48)
    write_private(path, secret + "\n")
    return secret

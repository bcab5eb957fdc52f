"""The secrets a start needs: their names, how each is made, and the debug-mode file that keeps them."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

#: How a portal developer makes each one; shown by the system check.
SECRETS = {
    "SECRET_KEY": "python -c 'import secrets; print(secrets.token_urlsafe(50))'",
    "JWT_SIGNING_KEY": "python -c 'import secrets; print(secrets.token_urlsafe(50))'",
    "FIELD_ENCRYPTION_KEYS": (
        "python -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())'"
    ),
}


def _make(name: str) -> str:
    if name == "FIELD_ENCRYPTION_KEYS":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(50)


def local_secret(folder: Path, name: str) -> str:
    """The debug-mode secret `name`, made at the first call and kept in an ignored file only its owner may read.

    Two processes that start at once agree: a finished file is linked into place, and the loser reads the winner's.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.lower()}.txt"
    if not path.exists():
        draft = folder / f".{name.lower()}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(_make(name))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()

"""Encryption of what a player wrote, at rest: AES-256-GCM (NIST SP 800-38D). No Django here.

A sealed value is: version (1 byte) | key id (4) | nonce (12) | ciphertext and tag. The row's identity is the
associated data, so that a value moved to another row or column does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_KEY, _KEY_ID, _NONCE = 32, 4, 12
_HEADER = 1 + _KEY_ID + _NONCE
_NO_KEY = "a key is not 32 bytes in URL-safe base64"


class EncryptionError(Exception):
    """A key is no key, or a sealed value can't be opened. The message never holds the value."""


class Keyring:
    """Seals with the first key and opens with any, so that keys can be rotated by putting a new one in front.

    Keys are 32 bytes in URL-safe base64. Random nonces are safe for 2**32 values a key (SP 800-38D, 8.3).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise EncryptionError("no encryption key is set")
        self._ciphers = dict(self._load(key) for key in keys)
        self._first_id, self._first = next(iter(self._ciphers.items()))

    @staticmethod
    def _load(key: str) -> tuple[bytes, AESGCM]:
        try:
            raw = base64.b64decode(key.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise EncryptionError(_NO_KEY) from error
        if len(raw) != _KEY:  # 16 and 24 bytes would make weaker ciphers
            raise EncryptionError(_NO_KEY)
        return hashlib.sha256(b"key id" + raw).digest()[:_KEY_ID], AESGCM(raw)

    def seal(self, plain: bytes, identity: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return _VERSION + self._first_id + nonce + self._first.encrypt(nonce, plain, identity)

    def open(self, sealed: bytes, identity: bytes) -> bytes:
        """The plain value; EncryptionError for an unknown key, another row's value or a changed one."""
        if len(sealed) < _HEADER or sealed[:1] != _VERSION:
            raise EncryptionError("not a sealed value")
        cipher = self._ciphers.get(sealed[1 : 1 + _KEY_ID])
        if cipher is None:
            raise EncryptionError("sealed with a key that is not in the keyring")
        try:
            return cipher.decrypt(sealed[1 + _KEY_ID : _HEADER], sealed[_HEADER:], identity)
        except InvalidTag as error:
            raise EncryptionError("the value was changed or belongs to another row") from error


def row_identity(column: str, row_id: object) -> bytes:
    """What binds a sealed value to its place; `column` is `app.model.field`."""
    return f"{column}:{row_id}".encode()

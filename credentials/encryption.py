"""Encrypts text with FERNET_KEYS: the first key encrypts, all of them decrypt.

Keys are derived as django-fernet-fields does it, so its ciphertexts and ours open with the same
settings. A ciphertext starts with the name of its key, ``<key id>:<token>``: what is left to
rotate can be counted without opening it, and a missing key can be named.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from fernet_fields.hkdf import derive_fernet_key

KEY_ID_LENGTH = 12


class UnknownKeyError(Exception):
    """The key that a ciphertext names is not among FERNET_KEYS; ``args[0]`` is its id."""


class DamagedError(Exception):
    """The ciphertext was changed, or is none of ours."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys by their id, and the id of the one that encrypts."""

    current_id: str
    ciphers: dict[str, Fernet]


def encrypt(text: str) -> str:
    """Return the ciphertext of a text under the newest key."""
    ring = keyring()
    token = ring.ciphers[ring.current_id].encrypt(text.encode())
    return f"{ring.current_id}:{token.decode()}"


def encrypt_bytes(data: bytes) -> bytes:
    """Return the ciphertext of bytes under the newest key, in the same form."""
    ring = keyring()
    return b":".join((ring.current_id.encode(), ring.ciphers[ring.current_id].encrypt(data)))


def decrypt(ciphertext: str) -> str:
    """Return the text of a ciphertext. Raises UnknownKeyError or DamagedError."""
    return decrypt_bytes(ciphertext.encode()).decode()


def decrypt_bytes(ciphertext: bytes) -> bytes:
    """Return the bytes of a ciphertext. Raises UnknownKeyError or DamagedError."""
    name, colon, token = ciphertext.partition(b":")
    key_id = name.decode("ascii", "replace")
    if not colon:
        raise DamagedError
    cipher = keyring().ciphers.get(key_id)
    if cipher is None:
        raise UnknownKeyError(key_id)
    try:
        return cipher.decrypt(token)
    except InvalidToken as error:
        raise DamagedError from error


def keyring() -> Keyring:
    """Return the keys of the settings."""
    return _keyring(tuple(settings.FERNET_KEYS))


@lru_cache(maxsize=8)
def _keyring(keys: tuple[str, ...]) -> Keyring:
    ciphers = {_key_id(key): Fernet(derive_fernet_key(key)) for key in keys}
    return Keyring(current_id=_key_id(keys[0]), ciphers=ciphers)


def _key_id(key: str) -> str:
    # Of the derived key, so that the id gives nothing away about a weak passphrase's hash.
    return hashlib.sha256(b"id" + derive_fernet_key(key)).hexdigest()[:KEY_ID_LENGTH]

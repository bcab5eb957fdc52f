import base64
import os

import pytest

from privacy.encryption import EncryptionError, Keyring, row_identity


def new_key(length: int = 32) -> str:
    return base64.urlsafe_b64encode(os.urandom(length)).decode()


KEY, NEWER = new_key(), new_key()
ROW = row_identity("therapy.feedback.text", 7)
WORDS = "I slept, for once. ☀".encode()


def test_what_is_sealed_opens_again() -> None:
    keyring = Keyring([KEY])
    assert keyring.open(keyring.seal(WORDS, ROW), ROW) == WORDS


def test_sealed_value_holds_no_plaintext() -> None:
    assert b"slept" not in Keyring([KEY]).seal(WORDS, ROW)


def test_same_value_is_sealed_differently_each_time() -> None:
    keyring = Keyring([KEY])
    assert keyring.seal(WORDS, ROW) != keyring.seal(WORDS, ROW)


def test_after_rotation_old_values_open_and_new_ones_use_the_first_key() -> None:
    old = Keyring([KEY]).seal(WORDS, ROW)
    rotated = Keyring([NEWER, KEY])
    assert rotated.open(old, ROW) == WORDS
    assert Keyring([NEWER]).open(rotated.seal(WORDS, ROW), ROW) == WORDS


def test_key_outside_the_ring_is_an_error() -> None:
    sealed = Keyring([KEY]).seal(WORDS, ROW)
    with pytest.raises(EncryptionError, match="not in the keyring"):
        Keyring([NEWER]).open(sealed, ROW)


def test_wrong_key_with_the_right_key_id_is_an_error() -> None:
    sealed, other = Keyring([KEY]).seal(WORDS, ROW), Keyring([NEWER])
    disguised = sealed[:1] + other.seal(b"", ROW)[1:5] + sealed[5:]
    with pytest.raises(EncryptionError, match="changed"):
        other.open(disguised, ROW)


@pytest.mark.parametrize("place", [5, 16, 17, -1], ids=["nonce", "nonce end", "ciphertext", "tag"])
def test_one_changed_bit_is_an_error(place: int) -> None:
    sealed = bytearray(Keyring([KEY]).seal(WORDS, ROW))
    sealed[place] ^= 1
    with pytest.raises(EncryptionError, match="changed"):
        Keyring([KEY]).open(bytes(sealed), ROW)


@pytest.mark.parametrize(
    "other", [("therapy.feedback.text", 8), ("therapy.message.body", 7)], ids=["row", "column"]
)
def test_value_moved_elsewhere_does_not_open(other: tuple[str, int]) -> None:
    keyring = Keyring([KEY])
    with pytest.raises(EncryptionError, match="another row"):
        keyring.open(keyring.seal(WORDS, ROW), row_identity(*other))


@pytest.mark.parametrize("value", [b"", b"\x01short", b"plain text, never sealed at all"])
def test_what_was_never_sealed_is_an_error(value: bytes) -> None:
    with pytest.raises(EncryptionError, match="not a sealed value"):
        Keyring([KEY]).open(value, ROW)


@pytest.mark.parametrize(
    "key",
    ["", "not base64!", new_key()[:-1], "ключ", f"{KEY[:20]}\u00a0{KEY[20:]}", f"{KEY[:20]}!{KEY[20:]}"],
)
def test_what_is_no_base64_of_32_bytes_is_no_key(key: str) -> None:
    with pytest.raises(EncryptionError, match="not 32 bytes"):
        Keyring([key])


@pytest.mark.parametrize("length", [16, 24, 31, 33])
def test_keys_of_weaker_ciphers_are_no_keys(length: int) -> None:
    with pytest.raises(EncryptionError, match="not 32 bytes"):
        Keyring([new_key(length)])


def test_key_with_a_stray_space_is_still_the_key() -> None:
    assert Keyring([f" {KEY}\n"]).open(Keyring([KEY]).seal(WORDS, ROW), ROW) == WORDS


def test_keyring_without_keys_is_an_error() -> None:
    with pytest.raises(EncryptionError, match="no encryption key"):
        Keyring([])


def test_errors_hold_neither_key_nor_value() -> None:
    with pytest.raises(EncryptionError) as caught:
        Keyring([KEY, "my-secret-but-broken"])
    assert "my-secret" not in str(caught.value)

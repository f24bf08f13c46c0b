"""Sealing: what opens, what does not, and what it says then."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import CipherError
from inkwire.store.cipher import Cipher, DataKey, HubHash, place
from inkwire.store.keys import Keyring, new_master_key, parse_keys


def ring(*texts: str) -> Keyring:
    """A keyring of keys in base64."""
    return parse_keys("\n".join(texts), "x")


ONE, TWO = new_master_key(), new_master_key()
HERE, THERE = place("receipts", "rcp_1", "data_key"), place("receipts", "rcp_2", "data_key")


class TestMasterKey:
    @given(st.binary(max_size=200))
    def test_what_was_wrapped_comes_back(self, plain: bytes):
        """Any bytes, at their own place."""
        cipher = Cipher(ring(ONE))
        wrapped = cipher.wrap(plain, HERE)
        assert cipher.unwrap(wrapped, HERE) == plain
        assert len(plain) < 4 or plain not in wrapped

    def test_the_same_value_never_looks_the_same(self):
        """Equal secrets cannot be told from the database."""
        cipher = Cipher(ring(ONE))
        assert cipher.wrap(b"same", HERE) != cipher.wrap(b"same", HERE)

    def test_an_unknown_key_is_named(self):
        """The operator learns which key to bring back; the value is not harmed."""
        wrapped = Cipher(ring(ONE)).wrap(b"x", HERE)
        with pytest.raises(CipherError, match=ring(ONE).current.id.hex()):
            Cipher(ring(TWO)).unwrap(wrapped, HERE)
        assert Cipher(ring(TWO, ONE)).unwrap(wrapped, HERE) == b"x"

    def test_rewrapping(self):
        """What an older key wrapped is told apart, and the current one takes it over."""
        both = Cipher(ring(TWO, ONE))
        old = Cipher(ring(ONE)).wrap(b"x", HERE)
        new = both.rewrap(old, HERE)
        assert (both.outdated(old), both.outdated(new)) == (True, False)
        assert Cipher(ring(TWO)).unwrap(new, HERE) == b"x"

    @given(st.data())
    def test_nothing_else_opens(self, data: st.DataObject):
        """A changed, cut or moved value gives our own error, whatever was done to it."""
        cipher = Cipher(ring(ONE))
        wrapped = cipher.wrap(b"secret", HERE)
        at = data.draw(st.integers(0, len(wrapped) - 1))
        changed = (
            wrapped[:at] + bytes([wrapped[at] ^ data.draw(st.integers(1, 255))]) + wrapped[at + 1 :]
        )
        for value, where in ((changed, HERE), (wrapped[:at], HERE), (wrapped, THERE)):
            with pytest.raises(CipherError):
                cipher.unwrap(value, where)


class TestDataKey:
    def test_parts_stay_in_their_column(self):
        """Headers cannot be shown as the body, nor one receipt's as another's."""
        key = DataKey(b"k" * 32)
        sealed = key.seal(b"n" * 12, b"text", place("receipts", "1", "body"))
        assert key.open(sealed, place("receipts", "1", "body")) == b"text"
        for other in (place("receipts", "1", "headers"), place("receipts", "2", "body")):
            with pytest.raises(CipherError):
                key.open(sealed, other)
        with pytest.raises(CipherError):
            DataKey(b"K" * 32).open(sealed, place("receipts", "1", "body"))


class TestHubHash:
    def test_every_part_of_a_key_counts(self):
        """No two different events of a hub share a dedupe key by how their parts join."""
        hashes = HubHash(b"h" * 32)
        keys = {
            hashes.event(source, kind, key, test=test)
            for source, kind, key, test in itertools.product(
                ("a", "ab", "a-hard"), ("hard", "derived"), (b"", b"x", b"\x00x"), (True, False)
            )
        }
        keys.add(hashes.quarantined("a", b"x", None))
        assert len(keys) == 3 * 2 * 3 * 2 + 1
        assert {len(key) for key in keys} == {16}

    def test_hubs_cannot_be_compared(self):
        """The same body has another hash in another hub: a guess cannot be checked outside."""
        assert HubHash(b"1" * 32).body(b"x") != HubHash(b"2" * 32).body(b"x")
        assert HubHash(b"1" * 32).body(b"x") == HubHash(b"1" * 32).body(b"x")

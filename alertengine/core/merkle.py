"""An append-only Merkle tree over SHA-256 (RFC 6962 hashing, RFC 9162 proofs).

"Leaf" below always means the leaf's hash, made by `leaf_hash`. A perfect subtree is named by its level
(0 is a leaf) and its index among the subtrees of that level. Only perfect subtrees are ever stored: they
never change once they exist, whatever is appended later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

NodeLookup = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A Merkle proof does not hold; the message says why."""


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """What an appender must remember of a tree: its size and the roots of its perfect subtrees."""

    __slots__ = ("_peaks", "_root", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or size.bit_count() != len(peaks):
            raise ValueError(f"a tree of {size} leaves does not have {len(peaks)} peaks")
        self.size = size
        self._peaks = list(peaks)
        self._root: bytes | None = None

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Roots of the perfect subtrees, the largest first."""
        return tuple(self._peaks)

    def copy(self) -> Frontier:
        twin = Frontier.__new__(Frontier)  # without the check, which was made: every append makes a copy
        twin.size, twin._peaks, twin._root = self.size, self._peaks.copy(), self._root
        return twin

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf; answer the perfect subtrees that it completed, itself first."""
        level, index, hashed = 0, self.size, leaf
        made = [(level, index, hashed)]
        while index & 1:
            hashed = node_hash(self._peaks.pop(), hashed)
            level, index = level + 1, index >> 1
            made.append((level, index, hashed))
        self._peaks.append(hashed)
        self._root = None
        self.size += 1
        return made

    def root(self) -> bytes:
        if self._root is None:
            self._root = self._fold() if self._peaks else EMPTY_ROOT
        return self._root

    def _fold(self) -> bytes:
        hashed = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            hashed = node_hash(peak, hashed)
        return hashed


def peak_coordinates(size: int) -> list[tuple[int, int]]:
    """(level, index) of the perfect subtrees that make up a tree of `size` leaves, the largest first."""
    found = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


def inclusion_proof(node: NodeLookup, index: int, size: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of the first `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    start, end = 0, size
    proof = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            proof.append(_range_hash(node, middle, end))
            end = middle
        else:
            proof.append(_range_hash(node, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(node: NodeLookup, size1: int, size2: int) -> list[bytes]:
    """The hashes that show that the tree of `size2` leaves begins with the tree of `size1`."""
    if not 0 < size1 <= size2:
        raise ValueError(f"no proof leads from a tree of {size1} to one of {size2}")
    start, end = 0, size2
    proof = []
    while size1 != end:
        middle = _split(start, end)
        if size1 <= middle:
            proof.append(_range_hash(node, middle, end))
            end = middle
        else:
            proof.append(_range_hash(node, start, middle))
            start = middle
    if start > 0:
        # When the old tree is itself one perfect subtree of the new one, the verifier has its root already.
        proof.append(_range_hash(node, start, end))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not within a tree of {size}")
    _check_widths(leaf, root, *proof)
    here, last, hashed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if here & 1 or here == last:
            hashed = node_hash(sibling, hashed)
            here, last = _skip_to_left_sibling(here, last)
        else:
            hashed = node_hash(hashed, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if hashed != root:
        raise ProofError("the proof does not lead to the root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """RFC 9162 section 2.1.4.2. Raises ProofError.

    From size 0 every tree extends, so such a "proof" would show nothing: it is refused.
    """
    if not 0 < size1 <= size2:
        raise ProofError(f"no proof leads from a tree of {size1} to one of {size2}")
    if size1 == size2:
        if proof:
            raise ProofError("two trees of one size need no proof, but there is one")
        if root1 != root2:
            raise ProofError("two trees of one size have different roots")
        return
    _check_widths(root1, root2, *proof)
    if size1 & (size1 - 1) == 0:
        proof = [root1, *proof]
    if not proof:
        raise ProofError("the proof is empty")
    _follow_consistency(size1, size2, proof, root1, root2)


def _follow_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    here, last = size1 - 1, size2 - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            here, last = _skip_to_left_sibling(here, last)
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if old != root1:
        raise ProofError("the proof does not lead to the old root")
    if new != root2:
        raise ProofError("the proof does not lead to the new root")


def _skip_to_left_sibling(here: int, last: int) -> tuple[int, int]:
    """On the tree's right edge several levels have no sibling of their own: climb past them."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def _split(start: int, end: int) -> int:
    """Where a tree over [start, end) divides: the largest power of two below its width."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _range_hash(node: NodeLookup, start: int, end: int) -> bytes:
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    middle = _split(start, end)
    return node_hash(_range_hash(node, start, middle), _range_hash(node, middle, end))


def _check_widths(*hashes: bytes) -> None:
    for hashed in hashes:
        if len(hashed) != HASH_BYTES:
            raise ProofError(f"a hash of {len(hashed)} bytes; SHA-256 has {HASH_BYTES}")

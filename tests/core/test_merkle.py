"""The Merkle tree against the definition in RFC 6962, against itself, and against published vectors."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from alertengine.core import merkle

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "merkle"
LARGEST = 257


def mth(leaves: list[bytes]) -> bytes:
    """The tree hash as RFC 6962 defines it, by recursion over the leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


class Tree:
    def __init__(self, size: int) -> None:
        self.leaves = [merkle.leaf_hash(b"%d" % i) for i in range(size)]
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots = [merkle.EMPTY_ROOT]
        frontier = merkle.Frontier()
        for leaf in self.leaves:
            self.nodes.update({(level, index): h for level, index, h in frontier.append(leaf)})
            self.roots.append(frontier.root())
        self.frontier = frontier

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(LARGEST)


def test_hashes_are_prefixed_so_that_a_node_is_never_a_leaf() -> None:
    assert sha256(b"").digest() == merkle.EMPTY_ROOT
    assert merkle.leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert merkle.node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_root_is_the_tree_hash_of_the_rfc(tree: Tree) -> None:
    for size in range(LARGEST + 1):
        assert tree.roots[size] == mth(tree.leaves[:size])


def test_append_reports_each_perfect_subtree_once(tree: Tree) -> None:
    frontier = merkle.Frontier()
    seen = [(lv, ix) for leaf in tree.leaves for lv, ix, _ in frontier.append(leaf)]
    assert len(seen) == len(set(seen)) == sum(LARGEST >> level for level in range(9))


def test_a_frontier_resumes_from_its_peaks(tree: Tree) -> None:
    for size in range(LARGEST):
        peaks = [tree.node(level, index) for level, index in merkle.peak_coordinates(size)]
        resumed = merkle.Frontier(size, peaks)
        assert resumed.root() == tree.roots[size]
        resumed.append(tree.leaves[size])
        assert (resumed.size, resumed.root()) == (size + 1, tree.roots[size + 1])


def test_a_copy_goes_its_own_way(tree: Tree) -> None:
    copy = tree.frontier.copy()
    copy.append(b"\0" * 32)
    assert (tree.frontier.size, tree.frontier.root()) == (LARGEST, tree.roots[LARGEST])
    assert copy.peaks != tree.frontier.peaks


@pytest.mark.parametrize(("size", "peaks"), [(-1, []), (0, [b""]), (3, [b""]), (4, [])])
def test_a_frontier_refuses_peaks_that_do_not_fit_its_size(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="peaks"):
        merkle.Frontier(size, peaks)


def test_every_inclusion_proof_holds(tree: Tree) -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = merkle.inclusion_proof(tree.node, index, size)
            merkle.verify_inclusion(tree.leaves[index], index, size, proof, tree.roots[size])


def test_every_consistency_proof_holds(tree: Tree) -> None:
    for size2 in range(1, LARGEST + 1):
        for size1 in range(1, size2 + 1):
            proof = merkle.consistency_proof(tree.node, size1, size2)
            merkle.verify_consistency(size1, size2, proof, tree.roots[size1], tree.roots[size2])


def test_a_proof_holds_for_no_other_place_and_no_other_size(tree: Tree) -> None:
    for size in range(2, 20):
        for index in range(size):
            proof = merkle.inclusion_proof(tree.node, index, size)
            for other in set(range(size)) - {index}:
                with pytest.raises(merkle.ProofError):
                    merkle.verify_inclusion(tree.leaves[index], other, size, proof, tree.roots[size])
            for broken in (proof[:-1], [*proof, tree.roots[1]], [*proof[:-1], b"\0" * 32]):
                with pytest.raises(merkle.ProofError):
                    merkle.verify_inclusion(tree.leaves[index], index, size, broken, tree.roots[size])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(tree: Tree, index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(tree.node, index, size)
    with pytest.raises(merkle.ProofError, match="not within"):
        merkle.verify_inclusion(tree.leaves[0], index, size, [], tree.roots[1])


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 5), (5, 4), (-1, 4)])
def test_no_proof_leads_from_nothing_or_backwards(tree: Tree, size1: int, size2: int) -> None:
    with pytest.raises(ValueError, match="no proof leads"):
        merkle.consistency_proof(tree.node, size1, size2)
    with pytest.raises(merkle.ProofError, match="no proof leads"):
        merkle.verify_consistency(size1, size2, [], merkle.EMPTY_ROOT, tree.roots[5])


def test_a_hash_of_another_width_is_refused(tree: Tree) -> None:
    with pytest.raises(merkle.ProofError, match="31 bytes"):
        merkle.verify_inclusion(tree.leaves[0][:31], 0, 1, [], tree.roots[1])


def vectors(kind: str) -> list[Any]:
    if not VECTORS.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no published vectors in {VECTORS}"))]
    paths = sorted((VECTORS / kind).rglob("*.json"))
    return [pytest.param(json.loads(p.read_bytes()), id=str(p.relative_to(VECTORS))) for p in paths]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", vectors("inclusion"))
def test_published_inclusion_vectors(case: dict[str, Any]) -> None:
    def check() -> None:
        proof = [raw(h) for h in case["proof"] or []]
        merkle.verify_inclusion(
            raw(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, raw(case["root"])
        )

    expect(check, refused=case["wantErr"])


@pytest.mark.parametrize("case", vectors("consistency"))
def test_published_consistency_vectors(case: dict[str, Any]) -> None:
    def check() -> None:
        proof = [raw(h) for h in case["proof"] or []]
        merkle.verify_consistency(case["size1"], case["size2"], proof, raw(case["root1"]), raw(case["root2"]))

    # Some vectors take a "proof" from an empty tree, which shows nothing; ours refuses it.
    expect(check, refused=case["wantErr"] or case["size1"] == 0)


def expect(check: Any, *, refused: bool) -> None:
    if not refused:
        check()
        return
    with pytest.raises(merkle.ProofError):
        check()

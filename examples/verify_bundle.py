"""Check an AlertEngine evidence bundle with the standard library and one signature check.

usage: python verify_bundle.py BUNDLE.html VKEY      (needs: pip install cryptography)

VKEY is the log's public key as its operator gave it to you, not the one in the file. docs/ledger.md
explains each step; write your own from there if you would rather not trust this page.
"""

import base64
import json
import sys
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(true, why):
    if not true:
        sys.exit(f"NOT verified: {why}")


def open_checkpoint(note, vkey):
    name, key_id, blob = vkey.split("+", 2)
    blob = base64.b64decode(blob, validate=True)
    need(sha256(name.encode() + b"\n" + blob).hexdigest()[:8] == key_id and blob[0] == 1, "mistyped VKEY")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines():
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if (dash, signer, signature[:4].hex()) == ("\u2014", name, key_id):
            Ed25519PublicKey.from_public_bytes(blob[1:]).verify(signature[4:], text.encode())
            _origin, size, root, end = text.split("\n")
            need(end == "" and size == str(int(size)), "this is not a checkpoint")
            return int(size), base64.b64decode(root, validate=True)
    return need(False, "this key did not sign the checkpoint")


def root_from(leaf, index, size, proof):
    """RFC 9162 section 2.1.3.2: the root that the proof leads to."""
    need(0 <= index < size, "an index outside the log")
    here, last = index, size - 1
    for sibling in proof:
        need(last, "the proof is too long")
        if here & 1 or here == last:
            leaf = sha256(b"\x01" + sibling + leaf).digest()
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            leaf = sha256(b"\x01" + leaf + sibling).digest()
        here, last = here >> 1, last >> 1
    need(last == 0, "the proof is too short")
    return leaf


def verify(page, vkey):
    bundle = json.loads(page.split('<script type="application/json" id="bundle">')[1].split("</script>")[0])
    size, root = open_checkpoint(bundle["checkpoint"], vkey)
    before, last = "", -1
    for seq, entry in enumerate(bundle["events"], 1):
        leaf = sha256(b"\x00" + entry["body"].encode()).digest()
        proof = [base64.b64decode(h, validate=True) for h in entry["proof"]]
        need(root_from(leaf, entry["index"], size, proof) == root, f"event {seq} is not in the log")
        event = json.loads(entry["body"])
        told = event["tenant_id"], event["incident_id"], event["seq"], event["prev_hash"]
        need(told == (bundle["tenant_id"], bundle["incident_id"], seq, before), f"a gap at event {seq}")
        need(entry["index"] > last, f"event {seq} is out of order")
        before, last = leaf.hex(), entry["index"]
        print(event["at"], event["type"], event["actor"]["name"], json.dumps(event["data"]), sep="  ")
    need(bundle["events"], "no events")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: verify_bundle.py BUNDLE.html VKEY")
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        verify(file.read(), sys.argv[2])
    print("verified: these events are in the log, in this order, with none missing between them")

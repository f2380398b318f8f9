"""Standard Webhooks, checked against its own library."""

import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.signing import Signer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_published_example():
    signature = Signer(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(
    st.binary(max_size=200),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
)
def test_the_schemes_own_library_agrees(body, message_id):
    library = pytest.importorskip("standardwebhooks")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    now = int(time.time())
    at = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
    assert Signer(SECRET).sign(message_id, now, body) == library.Webhook(SECRET).sign(message_id, at, text)


@given(st.text(min_size=1, max_size=50), st.binary(max_size=100), st.binary(min_size=1, max_size=5))
def test_one_bit_of_difference_is_refused(secret, body, more):
    signer = Signer("s" + secret)
    headers = signer.headers("id", 1000, body)
    assert signer.valid(headers, body, 1000.0)
    assert not signer.valid(headers, body + more, 1000.0)
    assert not Signer("other").valid(headers, body, 1000.0)
    assert not signer.valid({**headers, "webhook-id": "other"}, body, 1000.0)


def test_one_of_several_signatures_is_enough():
    signer = Signer(SECRET)
    headers = signer.headers("id", 1000, b"x")
    headers["webhook-signature"] = "v1,wrong v2,other " + headers["webhook-signature"]
    assert signer.valid(headers, b"x", 1000.0)


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e3", "１０００", "9" * 40])
def test_odd_timestamps_are_refused(stamp):
    signer = Signer(SECRET)
    headers = {**signer.headers("id", 1000, b""), "webhook-timestamp": stamp}
    assert not signer.valid(headers, b"", 1000.0)


def test_the_secret_is_not_in_its_repr():
    assert "MfKQ" not in repr(Signer(SECRET))


def test_a_broken_secret_is_told():
    with pytest.raises(ValueError, match=r"base64|padding|Only"):
        Signer("whsec_***")

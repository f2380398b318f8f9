"""What leaves the process carries no secret and no personal data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.redaction import CUT, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("no user ada.lovelace@example.co.uk", "ada"),
        ("call +44 20 7946 0958 now", "7946"),
        ("call (030) 1234-5678", "1234"),
        ("card 4111 1111 1111 1111 declined", "1111"),
        ("card 4111111111111111", "4111"),
        ("iban DE89 3704 0044 0532 0130 00", "3704"),
        ("password=hunter2 wrong", "hunter2"),
        ('{"api_key": "abcd1234efgh"}', "abcd1234"),
        ("Authorization: Bearer abc.def-ghi", "abc.def"),
        (f"bad token {JWT}", "dozjg"),
        ("GET https://x.org/p?session=abc123&b=1 failed", "abc123"),
        ("cannot reach postgresql://bob:s3cr3t@db:5432/x", "s3cr3t"),
        ("cannot reach mongodb+srv://bob:s3cr3t@db/x", "s3cr3t"),
        ("cannot reach rediss://:p@s3cr3t@cache:6379", "s3cr3t"),
        ('{"passphrase": "correct horse ' + "battery " * 80 + '"}', "horse"),
        ("key sk-live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39"),
        ("hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "9f86d0"),
        ("aws AKIAIOSFODNN7EXAMPLE", "IOSFODNN"),
    ],
)
def test_secrets_are_cut_out(text, secret):
    assert secret in text
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "'total_cents'",
        "division by zero",
        "[Errno 28] No space left on device",
        "invalid literal for int() with base 10: 'N/A'",
        "connection to server at 10.0.3.17, port 5432 failed",
        "QueuePool limit of size 5 overflow 10 reached, timeout 30.00",
    ],
)
def test_what_helps_stays(text):
    assert redact(text) == text


@given(st.text(max_size=2000))
def test_any_text_is_bounded(text):
    assert len(redact(text)) <= CUT

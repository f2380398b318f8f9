"""Text within a channel's limits."""

from __future__ import annotations

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.fit import clip, fit, flatten, units


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_clipped_text_fits_and_begins_as_it_did(text: str, limit: int) -> None:
    clipped = clip(text, limit)

    assert units(clipped) <= limit or limit < 2
    assert clipped == text or text.startswith(clipped[:-1])


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n")), max_size=6), st.integers(0, 80))
def test_fitted_lines_fit_by_any_measure(lines: list[str], limit: int) -> None:
    def measure(text: str) -> int:
        return units(escape(text))

    assert measure("\n".join(fit(lines, limit, measure))) <= limit


def test_the_longest_line_is_cut_first() -> None:
    assert fit(["short", "a much longer line", "small"], 20) == ("short", "a much…", "small")


@given(st.text())
def test_a_flat_text_is_one_line_of_what_can_be_seen(text: str) -> None:
    flat = flatten(text)

    assert flat == " ".join(flat.split())
    assert not set(flat) & set("\n\r\t\x00\u202e\u200b\u2028")


def test_a_phone_counts_an_emoji_twice() -> None:
    assert units("🔴") == 2

"""Canonical bytes: one text for one value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.canonical import canonical_json, fingerprint

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"]))
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner), max_leaves=8
)


def test_keys_are_sorted_blanks_left_out_and_text_stays_as_it_is() -> None:
    value = {"b": [1, True, None, "Zoë \u2028"], "a": {"d": 2, "c": -(10**30)}}
    text = '{"a":{"c":-1000000000000000000000000000000,"d":2},"b":[1,true,null,"Zoë \u2028"]}'
    assert canonical_json(value) == text.encode()


def test_fingerprints_are_the_sha256_of_those_bytes() -> None:
    assert fingerprint([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


@settings(max_examples=40)
@given(st.dictionaries(st.text("abcdef"), _values, max_size=5))
def test_the_order_in_which_a_value_was_put_together_does_not_matter(
    value: dict[str, object],
) -> None:
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert fingerprint(backwards) == fingerprint(value)
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize(
    "value", [[1.0], {"a": 0.5}, {"a": [{"b": (1, 2.0)}]}, [float("nan")], [float("inf")]]
)
def test_floats_are_refused_however_deep_they_lie(value: list[object] | dict[str, object]) -> None:
    with pytest.raises(TypeError, match="is a float"):
        canonical_json(value)

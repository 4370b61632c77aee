"""A bit that flips in a sealed object is found, wherever it is."""

import json

import pytest

from pinsage.store.sealed import seal, unseal

BODY = {"version": "2026-é", "facts": {"pins": 3, "loss": 1e-05, "name": None}, "on": True}


def test_a_sealed_object_is_read_back():
    """Without its checksum."""
    assert unseal(json.loads(json.dumps(seal(BODY))), BODY.keys()) == BODY


@pytest.mark.parametrize("indent", [None, 1])
def test_no_flip_of_a_bit_makes_another_object(indent):
    """All of them: in values, names, numbers, white space and the checksum itself."""
    text = json.dumps(seal(BODY), indent=indent).encode()
    for place in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[place // 8] ^= 1 << place % 8
        try:
            body = unseal(json.loads(bytes(flipped)), BODY.keys())
        except ValueError:
            continue
        assert body == BODY  # 1E-05 is the same number


def test_an_object_of_an_earlier_version_has_no_checksum():
    """Its keys say that it is one."""
    assert unseal(BODY, BODY.keys()) == BODY
    with pytest.raises(ValueError, match="'on' is missing"):
        unseal({"version": "2026-é", "facts": {}}, BODY.keys())
    with pytest.raises(ValueError, match="'checkrum' is unknown"):
        unseal({**BODY, "checkrum": "0"}, BODY.keys())


@pytest.mark.parametrize("raw", [[], None, 7, "text"])
def test_a_value_that_is_no_object_is_refused(raw):
    """Whatever JSON it is."""
    with pytest.raises(ValueError, match="instead of an object"):
        unseal(raw, BODY.keys())

"""A settings file of any health is read in no time, or refused in one sentence that names it."""

import os

import pytest

from pinsage.errors import SettingsError
from pinsage.settings.loading import load_settings
from pinsage.settings.yaml_file import MAX_BYTES

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "a list": b"[1, 2]",
    "a number": b"walk: 3",
    "no YAML": b"walk: [",
    "an object of Python": b"!!python/object:os.system {}",
    "not UTF-8": b"walk: {num_walks: 200} # \xff\xfe",
    "zero bytes": b"walk:\0",
    "nested 900 deep": b"walk: " + b"[" * 900 + b"]" * 900,
    "nested 100,000 deep": b"walk: " + b"{a: " * 100_000,
    "a number of 5,000 digits": b"walk: {num_walks: " + b"9" * 5000 + b"}",
    "a hexadecimal number of 5,000 digits": b"walk: {num_walks: 0x" + b"f" * 5000 + b"}",
    "a day that no month has": b"data: {as_of: 2026-02-31}",
    "a setting twice": b"walk: {num_walks: 1, num_walks: 2}",
    "a section twice": b"walk: {num_walks: 1}\nwalk: {restart: 0.5}",
    "a billion laughs": f"{LAUGHS}walk: {{num_walks: *i}}".encode(),
    "too large": b"#" * (MAX_BYTES + 1),
    "names that are no texts": b"1: {2: 3}",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_settings_tree_is_refused(tmp_path, content):
    """In one line, no longer than a person reads."""
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "c.yaml")
    assert len(str(caught.value)) < 4000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.yaml", "zero\0byte.yaml", "x" * 300, ".", "pipe", "loop"])
def test_a_path_to_no_file_is_refused_at_once(tmp_path, name):
    """A pipe that nobody writes to would be read for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SettingsError, match="Settings file"):
        load_settings(tmp_path / name)

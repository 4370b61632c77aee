"""The one user of the servers on this machine: made once, kept for the owner's eyes, forgotten with its file."""

import json
import re
import stat

import pytest

from pinsage.errors import SettingsError
from tasks.standalone.deployment import Deployment
from tasks.standalone.login import find_login, login_at, login_of, secret


def test_the_password_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    """Twenty letters nobody guesses; the next start finds them again and is told that they are not new."""
    first = login_of(tmp_path / "var")
    again = login_of(tmp_path / "var")
    assert first == again
    assert (first.is_new, again.is_new) == (True, False)
    assert len(first.user.password) >= 20
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    assert json.loads(first.file.read_text()) == {"pinsage": first.user.password}
    assert login_of(tmp_path / "other").user.password != first.user.password


def test_the_password_is_in_no_text_that_is_printed_by_accident(tmp_path):
    """Not in the words for a login, which a traceback or a log may show."""
    login = login_of(tmp_path)
    assert login.user.password not in repr(login)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pinsage": ""}', '{"pinsage": 7}', '{"admin": "x"}'])
def test_a_file_without_a_password_is_named(tmp_path, text):
    """Whatever became of it; nothing is overwritten that a person may have written."""
    (tmp_path / "login.json").write_text(text)
    with pytest.raises(SettingsError, match=r"login\.json holds no password of the user 'pinsage'"):
        find_login(tmp_path)


def flipped(content: bytes):
    """The content with one bit changed, for every bit."""
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def test_no_flip_of_a_bit_of_the_login_is_a_traceback(tmp_path):
    """Another password cannot be told from the right one, but by the servers; whatever is no password is named."""
    content = login_of(tmp_path).file.read_bytes()
    for changed in flipped(content):
        (tmp_path / "login.json").write_bytes(changed)
        try:
            assert find_login(tmp_path).user.name == "pinsage"
        except SettingsError as error:
            assert "holds no password" in str(error)  # noqa: PT017 - both outcomes are right


def test_a_damaged_secret_is_made_anew(tmp_path):
    """It goes into the environment of a server, which takes no other bytes than those of a text."""
    first = secret(tmp_path / "secret")
    assert secret(tmp_path / "secret") == first
    for changed in flipped(first.encode()[:9]):
        (tmp_path / "secret").write_bytes(changed + first.encode()[9:])
        assert re.fullmatch(r"[A-Za-z0-9_-]{86}", secret(tmp_path / "secret"))
    (tmp_path / "secret").write_bytes(b"")
    assert len(secret(tmp_path / "secret")) == 86


def test_the_password_is_given_to_this_machine_alone(tmp_path):
    """An Airflow elsewhere has users of its own."""
    user = login_of(tmp_path).user
    assert login_at("http://127.0.0.1:8081", tmp_path) == login_at("http://localhost:8080/", tmp_path) == user
    assert login_at("https://airflow.example", tmp_path) is None
    assert login_at("http://127.0.0.1:8081", tmp_path / "none") is None


def test_a_new_password_forgets_the_users_that_mlflow_knew(tmp_path):
    """MLflow keeps the password that it was first started with, and would refuse the new one."""
    Deployment(tmp_path).write_mlflow_users()
    users = tmp_path / "mlflow" / "users.db"
    users.touch()
    Deployment(tmp_path).write_mlflow_users()
    assert users.exists()
    (tmp_path / "login.json").unlink()
    Deployment(tmp_path).write_mlflow_users()
    assert not users.exists()

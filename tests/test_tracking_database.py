"""MLflow's database without a server is there whole or not at all."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from pinsage.errors import DiskFullError, TrackingError
from pinsage.settings.schema import TrackingSettings
from pinsage.tracking.database import create_database
from pinsage.tracking.server import Server


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The database of a data folder in place of a server."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Server(TrackingSettings(), tmp_path)


def test_what_a_killed_attempt_left_is_made_anew(server):
    """MLflow itself would say for ever that a table exists already."""
    server.folder.mkdir()
    with closing(sqlite3.connect(server.folder / ".mlflow.db.partial")) as half:
        half.execute("CREATE TABLE mcp_servers (name)")
    assert server.experiment_id
    files = {path.name for path in server.folder.iterdir()}
    assert files == {"mlflow.db", ".mlflow.db.lock"}


def test_an_attempt_that_fails_leaves_nothing_of_the_database(tmp_path, monkeypatch):
    """Neither under its name nor under another."""

    def refuse(uri, root):
        (tmp_path / ".mlflow.db.partial").write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", refuse)
    with pytest.raises(OSError, match="No space"):
        create_database(tmp_path / "mlflow.db")
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]


@pytest.mark.parametrize(
    ("said", "error"),
    [("database or disk is full", DiskFullError), ("table mcp_servers already exists", TrackingError)],
)
def test_what_sqlite_refuses_is_one_sentence(server, said, error):
    """The statement that it was about is not shown."""
    with pytest.raises(error, match=said) as caught, server.clear_errors():
        raise OperationalError("CREATE TABLE mcp_servers", {}, sqlite3.OperationalError(said))
    assert "CREATE" not in str(caught.value)

"""MLflow's SQLite database, where there is no server: it is there whole or not at all.

MLflow makes its tables in some fifty steps that take seconds, and cannot go on from some of them: killed meanwhile, it
would leave a database that nobody can open again ("table ... already exists").
"""

from pathlib import Path

from pinsage.store.atomic import PARTIAL, sync
from pinsage.store.lock import hold_lock


def create_database(file: Path) -> None:
    """Make the database unless it is there; of several processes at once one makes it, and the others wait.

    Args:
        file: its place. The files of runs go to the folder `artifacts` beside it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: SQLite refused, e.g. because the disk is full; nothing is there then.
    """
    if file.exists():
        return
    with hold_lock(file.with_name(f".{file.name}.lock")):
        if not file.exists():
            _make(file)


def _make(file: Path) -> None:
    # MLflow takes seconds to import, and this is done once.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    draft = file.with_name(f".{file.name}{PARTIAL}")
    journal = draft.with_name(f"{draft.name}-journal")
    try:
        for left in (draft, journal):  # by an attempt that was killed
            left.unlink(missing_ok=True)
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            f"sqlite:///{draft}", (file.parent / "artifacts").as_uri()
        )
        store.engine.dispose()
        sync(draft)
        draft.replace(file)
    finally:
        for left in (draft, journal):
            left.unlink(missing_ok=True)
    sync(file.parent)

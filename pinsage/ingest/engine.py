"""The database engine under ingest: DuckDB, in memory up to a limit and on disk past it.

The only door to duckdb. It knows nothing of pins and boards but a few words that all the SQL of ingest uses.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from pinsage.errors import DiskFullError, InputError, MemoryShortError
from pinsage.ingest.source.columns import MAX_ID_CHARACTERS
from pinsage.ingest.source.point_in_time import FIRST_TIME, LAST_TIME

RESULT_ROWS = 1 << 14
SHOWN_CHARACTERS = 200
NO_MEMORY = ("bad allocation", "Allocation failure")  # of the operating system, as against more than our limit

# Words that the SQL of ingest is written in. What is shown of a text must fit on a line; a time is microseconds.
WORDS = f"""
CREATE MACRO id_fault(name, id) AS CASE
    WHEN id IS NULL THEN name || ' is null'
    WHEN id = '' THEN name || ' is empty'
    WHEN length(id) > getvariable('max_id_length')
        THEN name || ' is longer than ' || getvariable('max_id_length') || ' characters'
    WHEN regexp_matches(id, '[\\p{{Cc}}\\p{{Zl}}\\p{{Zp}}]') THEN name || ' holds control characters'
END;
CREATE MACRO shown(text) AS CASE
    WHEN length(text) <= {SHOWN_CHARACTERS} THEN text
    ELSE left(text, {SHOWN_CHARACTERS}) || '… (' || format('{{:,}}', length(text)) || ' characters'
        || CASE WHEN length(text) < {MAX_ID_CHARACTERS} THEN ')' ELSE ' or more)' END
END;
CREATE MACRO iso(time) AS CASE
    WHEN NOT time BETWEEN {FIRST_TIME} AND {LAST_TIME} THEN time || ' us'
    WHEN time % 1000000 = 0 THEN strftime(make_timestamp(time), '%Y-%m-%dT%H:%M:%S+00:00')
    ELSE strftime(make_timestamp(time), '%Y-%m-%dT%H:%M:%S.%f+00:00')
END;
"""


class Engine:
    """A database that lives as long as one ingest; what does not fit into `memory_gb` is spilled below `folder`.

    `max_id_length` is what `id_fault` measures an id by, in characters.
    """

    def __init__(self, folder: Path, memory_gb: float, *, max_id_length: int) -> None:
        self.folder, self.memory_gb = folder, memory_gb
        with self._clear_errors():
            self._database = duckdb.connect(
                config={
                    "memory_limit": f"{int(memory_gb * 1000)}MB",
                    "temp_directory": str(folder),
                    "preserve_insertion_order": False,  # or a table is held until its first row is written
                    "python_enable_replacements": False,
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                }
            )
        self.run(WORDS)
        self.run(f"SET VARIABLE max_id_length = {max_id_length}; SET enable_progress_bar = false")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        if self.folder.is_dir():
            self.folder.rmdir()

    def run(self, sql: str, **values: Any) -> None:
        """Run a statement, with a value for each `$name` in it.

        Raises:
            DiskFullError: the disk cannot take what does not fit into memory.
            InputError: it needs more memory than the limit, even so.
            MemoryShortError: the machine has less memory left than the limit.
        """
        with self._clear_errors():
            self._database.execute(sql, values or None)

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the few rows of a query; raises what `run` raises."""
        with self._clear_errors():
            return self._database.execute(sql, values or None).fetchall()

    def tables(self, sql: str, batch_rows: int = RESULT_ROWS) -> Iterator[pa.Table]:
        """Return the rows of a query piece by piece; raises what `run` raises."""
        with self._clear_errors():
            for batch in self._database.sql(sql).to_arrow_reader(batch_rows):
                yield pa.table(batch)

    @contextmanager
    def source(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[None]:
        """Offer batches to one statement as the table `source`; what making them raises is raised here."""
        faults: list[Exception] = []
        self._database.register("source", pa.RecordBatchReader.from_batches(schema, _watch(batches, faults)))
        try:
            yield
        except Exception:
            if faults:
                raise faults[0] from None
            raise
        finally:
            self._database.unregister("source")

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            if "disk" in str(error).lower() or "temp_directory_size" in str(error):
                raise DiskFullError(f"The disk of {self.folder} is full ({_first_line(error)}). Make room.") from None
            if any(words in str(error) for words in NO_MEMORY):
                raise MemoryShortError(
                    f"Memory ran out below data.memory_gb = {self.memory_gb:g} GB ({_first_line(error)}). Give the "
                    "process more, or lower it to spill to disk earlier."
                ) from None
            raise InputError(
                f"Ingest needs more than data.memory_gb = {self.memory_gb:g} GB ({_first_line(error)}). Raise it."
            ) from None
        except duckdb.IOException as error:
            if "space" not in str(error).lower():
                raise
            raise DiskFullError(f"The disk of {self.folder} is full ({_first_line(error)}). Make room.") from None


def _watch(batches: Iterable[pa.RecordBatch], faults: list[Exception]) -> Iterator[pa.RecordBatch]:
    """Remember the error of a batch: on its way through the engine it becomes a text."""
    try:
        yield from batches
    except Exception as error:
        faults.append(error)
        raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:SHOWN_CHARACTERS]

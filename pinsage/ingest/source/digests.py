"""The digests of files that were read before: a file that has not changed is not read again day after day."""

import hashlib
import json
import time
from pathlib import Path

from pinsage.ingest.source.table import SourceFile
from pinsage.store.atomic import replace_file
from pinsage.store.sealed import seal, unseal

READ_BYTES = 1 << 22
_DIGESTS = "digests"
SETTLED_NS = 2_000_000_000  # two changes within the tick of a file system's clock leave the same time


class FileDigests:
    """SHA-256 of the files of one data set by name, size and time of change, remembered in a file.

    A file changed less than two seconds ago is read again next time: it may change once more within the same tick. What
    is remembered is never needed; a missing or damaged memory costs time.
    """

    def __init__(self, memory: Path | None) -> None:
        self.memory = memory
        self._known = _read_memory(memory) if memory else {}
        self._asked: dict[str, str] = {}

    @classmethod
    def of_data_set(cls, url: str, home: Path) -> "FileDigests":
        """The digests of the data set at `url`, remembered below the pipeline's home folder."""
        return cls(home / "digests" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.json")

    def sha256(self, file: SourceFile) -> str:
        """The digest of a file's content, in hex."""
        key = f"{file.path}|{file.size_bytes}|{file.modified_ns}"
        is_settled = 0 < file.modified_ns < time.time_ns() - SETTLED_NS
        digest = self._known.get(key) or _file_sha256(file)
        if is_settled:
            self._asked[key] = digest
        return digest

    def remember(self) -> None:
        """Keep what was asked for, and only that, for the next time."""
        if self.memory is None or self._asked == self._known:
            return
        replace_file(self.memory, json.dumps(seal({_DIGESTS: self._asked}), indent=0).encode())


def _read_memory(memory: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = unseal(json.loads(memory.read_bytes()), {_DIGESTS})[_DIGESTS]
    except (OSError, ValueError):
        return {}
    return found


def _file_sha256(file: SourceFile) -> str:
    digest = hashlib.sha256()
    with file.filesystem.open_input_stream(file.path) as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()

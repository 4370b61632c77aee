"""The release that CURRENT names, followed by a process that answers queries.

A server asks `release()` for every query and keeps what it got until the query's end: the answer comes from one
version, and the files of an old one stay mapped as long as somebody uses it.
"""

import logging
import threading
import time
from collections.abc import Callable

from pinsage.errors import ArtifactDamagedError, PinSageError
from pinsage.release.release import Release
from pinsage.release.releases import Releases
from pinsage.store.deployment import Store

log = logging.getLogger(__name__)


class CurrentRelease:
    """The current release of a store; CURRENT is read again after `every_s` seconds, when somebody asks.

    The caller who comes first after that time opens a new version; the others are given the old one meanwhile. A server
    that wants no query to wait calls `release()` from a timer of its own. If the new version cannot be opened, the old
    one goes on serving and the reason is logged, once.
    """

    def __init__(self, store: Store, *, every_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the current release, or the last good one before it if that is damaged or gone.

        Raises:
            ArtifactMissingError: nothing has been released.
            ArtifactDamagedError: neither the current release nor one before it can be opened.
        """
        self._releases, self._every_s, self._clock = Releases(store), every_s, clock
        self._opening = threading.Lock()
        self._told = ""
        self._looked_at = clock()
        self._release = self._open_first()

    def release(self) -> Release:
        """The release to ask now; keep it until the query is answered."""
        if self._clock() - self._looked_at >= self._every_s and self._opening.acquire(blocking=False):
            try:
                self._looked_at = self._clock()
                self._follow()
            finally:
                self._opening.release()
        return self._release

    def _follow(self) -> None:
        """Open the version that CURRENT names, if it is another one."""
        try:
            version = self._releases.current().version
            if version != self._release.version:
                self._release = self._releases.open(version)
                log.info("now serving release %s", version)
            self._told = ""
        except PinSageError as error:
            # Once, not at every query of a busy server.
            if str(error) != self._told:
                log.error("%s Release %s goes on serving.", error, self._release.version)
            self._told = str(error)

    def _open_first(self) -> Release:
        pointer = self._releases.current()
        for version in (pointer.version, *pointer.previous):
            try:
                return self._releases.open(version)
            except PinSageError as error:
                log.error("%s The release that served before it is tried.", error)
        raise ArtifactDamagedError(
            f"Neither the current release {pointer.version} nor one of {len(pointer.previous)} before it can be opened "
            f"in {self._releases}. Name a good one: pinsage release rollback VERSION."
        )

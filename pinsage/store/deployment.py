"""The store of this deployment: a folder, or a place behind a URL that all of its hosts reach.

`PINSAGE_STORE` names it; without it, it is the data folder of this host. It is no setting of a run: a run's settings
decide bytes, and where these lie does not.
"""

import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pinsage.errors import SettingsError
from pinsage.store.artifact import ArtifactStore, FolderArtifacts
from pinsage.store.bucket import Bucket, FolderBucket
from pinsage.store.cache import Cache
from pinsage.store.run import RunStore

CHECKPOINTS = "checkpoints"
STORE = "PINSAGE_STORE"
CACHE = "PINSAGE_CACHE"
CACHE_GB = "PINSAGE_CACHE_GB"
DEFAULT_CACHE_GB = "200"


@dataclass(frozen=True)
class Store:
    """The store as one host sees it.

    Attributes:
        home: the data folder of this host, for what need not outlive it.
        place: a folder, or an fsspec URL.
    """

    home: Path
    place: str

    @property
    def is_remote(self) -> bool:
        """True if it lies behind a URL, as against in a folder."""
        return "://" in self.place

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The published artifacts."""
        return self._artifacts(f"{self.place}/artifacts")

    @cached_property
    def releases(self) -> ArtifactStore:
        """The releases: published as artifacts are, of the one stage `releases`, beside the others."""
        return self._artifacts(self.place)

    @cached_property
    def cache(self) -> Cache:
        """The copies on this host of what lies in a remote store, for all of its processes.

        Raises:
            SettingsError: PINSAGE_CACHE_GB is no size.
        """
        folder = Path(os.environ.get(CACHE) or self.home / "cache" / "store")
        return Cache(folder / "copies", _cache_bytes())

    @cached_property
    def runs(self) -> RunStore:
        """The records of runs."""
        return RunStore(self.bucket("runs"))

    def bucket(self, name: str) -> Bucket:
        """The small files in the folder `name` of the store."""
        if not self.is_remote:
            return FolderBucket(Path(self.place) / name)
        from pinsage.store.remote import RemoteBucket

        return RemoteBucket(f"{self.place}/{name}")

    def scratch(self, stage: str, key: str) -> Path:
        """A folder of this stage and key that survives a killed attempt.

        It lies in the store where that is a folder, so that an attempt on another host finds it, and so do the workers
        of a cluster that see the store.
        """
        root = self.home if self.is_remote else Path(self.place)
        return root / "scratch" / stage / key

    def keep_scratch(self, stage: str, key: str, pattern: str) -> AbstractContextManager[None]:
        """Keep the files of a scratch folder that match a pattern in the store too, beside the work of the block.

        An attempt on another host finds them in its own scratch folder when its block begins.

        Raises:
            StoreError: the store cannot be reached at the beginning; later that is a warning.
        """
        if not self.is_remote:
            return nullcontext()
        from pinsage.store.mirror import mirror
        from pinsage.store.remote import RemoteBucket

        bucket = RemoteBucket(f"{self.place}/{CHECKPOINTS}/{stage}/{key}")
        return mirror(self.scratch(stage, key), bucket, pattern)

    def drop_scratch(self, stage: str, key: str) -> None:
        """Remove a scratch folder, and what is kept of it."""
        shutil.rmtree(self.scratch(stage, key), ignore_errors=True)
        if self.is_remote:
            self.bucket(CHECKPOINTS).remove(f"{stage}/{key}")

    def one_at_a_time(self, what: str) -> AbstractContextManager[None]:
        """Let one process of the deployment at a time do `what`, on all of its hosts."""
        return self.bucket("locks").hold(what)

    def _artifacts(self, root: str) -> ArtifactStore:
        if not self.is_remote:
            return FolderArtifacts(Path(root))
        from pinsage.store.remote import RemoteBucket  # fsspec and what is below it takes a while to import
        from pinsage.store.remote_artifacts import RemoteArtifacts

        drafts = self.cache.root.with_name("drafts")  # on the cache's file system: a draft becomes a copy by a rename
        return RemoteArtifacts(RemoteBucket(root), self.cache, drafts)


def open_store(home: Path) -> Store:
    """The store of this deployment, as its host with the data folder `home` sees it. Nothing is contacted yet.

    Raises:
        SettingsError: PINSAGE_STORE is neither an absolute folder nor a URL that several hosts can reach.
    """
    place = os.environ.get(STORE, "").strip().rstrip("/")
    place = place.removeprefix("file://").removeprefix("local://")
    if not place:
        return Store(home, str(home))
    if "://" not in place and not place.startswith("/"):
        raise SettingsError(f"{STORE} is '{place}', a relative folder. Give an absolute one, or a URL.")
    if place.startswith("memory://"):
        raise SettingsError(f"{STORE} is '{place}', which ends with its process. Give a folder, or another URL.")
    if "://" in place and urlsplit(place).password is not None:
        raise SettingsError(f"{STORE} holds a password, which would be logged. Give it where fsspec looks for it.")
    return Store(home, place)


def _cache_bytes() -> int:
    text = os.environ.get(CACHE_GB) or DEFAULT_CACHE_GB
    try:
        size_gb = float(text)
    except ValueError:
        size_gb = 0.0
    # Written so that NaN fails, too.
    if not 0 < size_gb < float("inf"):
        raise SettingsError(f"{CACHE_GB} is '{text}', not a size. Give gigabytes, e.g. {DEFAULT_CACHE_GB}.")
    return int(size_gb * 1e9)

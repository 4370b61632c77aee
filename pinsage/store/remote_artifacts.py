"""Artifacts behind a URL: uploaded file by file, published by their manifest, and read through copies on each host.

    <stage>/<key>/<attempt>/...     the files of an attempt
    <stage>/<key>/manifest.json     made last, by a create that cannot replace; it names the attempt that stands

Files without a manifest that names them are nothing to a reader.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.store import manifest as manifests
from pinsage.store.artifact import Artifact, ArtifactStore
from pinsage.store.cache import Cache
from pinsage.store.drafts import attempt_of
from pinsage.store.manifest import Manifest
from pinsage.store.remote import RemoteBucket


@dataclass(frozen=True)
class _Published:
    """The manifest of a published artifact, and the attempt whose files they are."""

    manifest: Manifest
    attempt: str

    @property
    def name(self) -> str:
        """The artifact's name in the store."""
        return f"{self.manifest.stage}/{self.manifest.key}"

    @property
    def copy(self) -> str:
        """The name of its copies: an artifact that was removed and made again is another one."""
        return f"{self.manifest.stage}-{self.manifest.key}-{self.attempt}"

    @property
    def size_bytes(self) -> int:
        """The size of all its files."""
        return sum(entry.size_bytes for entry in self.manifest.files)


class RemoteArtifacts(ArtifactStore):
    """The artifacts of a bucket. Drafts lie on the file system of the cache, in which each becomes a copy."""

    def __init__(self, bucket: RemoteBucket, cache: Cache, drafts: Path) -> None:
        super().__init__(drafts)
        self._bucket, self._cache = bucket, cache

    def has(self, stage: str, key: str) -> bool:
        """Return whether that artifact has been published."""
        return self._bucket.size_bytes(f"{stage}/{key}/{manifests.NAME}") is not None

    def folder(self, stage: str, key: str) -> Path:
        """The folder of a published artifact on this host, fetched and verified if it was not there yet.

        Raises:
            ArtifactMissingError: nothing was published under this key.
            ArtifactDamagedError: the store holds other bytes than its manifest says.
            StoreError: the store cannot be reached or refused.
            DiskFullError: there is no room for the copy.
        """
        published = self._find(stage, key)
        return self._cache.folder(published.copy, published.size_bytes, lambda copy: self._fetch(published, copy))

    def open(self, stage: str, key: str) -> Artifact:
        """The artifact, after every file's checksum agreed with its manifest; a damaged copy is fetched once more.

        Raises:
            ArtifactMissingError, ArtifactDamagedError, StoreError, DiskFullError: as `folder`.
        """
        try:
            return super().open(stage, key)
        except ArtifactDamagedError:
            published = self._find(stage, key)
            folder = self._cache.renew(published.copy, lambda copy: self._fetch(published, copy))
            return Artifact(folder, published.manifest)

    def remove(self, stage: str, key: str, is_wanted: Callable[[], bool]) -> bool:
        """Remove the manifest of an artifact, then its files; return whether it is gone."""
        name = f"{stage}/{key}/{manifests.NAME}"
        content = self._bucket.read(name)
        if content is None or is_wanted():
            return content is None
        self._bucket.remove(name)
        if is_wanted() and self._bucket.create(name, content):
            return False
        # Not the folder of the key: another attempt may be publishing there.
        attempt = manifests.named_attempt(content)
        if attempt:
            self._bucket.remove(f"{stage}/{key}/{attempt}")
        return True

    def _find(self, stage: str, key: str) -> _Published:
        name = f"{stage}/{key}/{manifests.NAME}"
        content = self._bucket.read(name)
        if content is None:
            raise ArtifactMissingError(f"{self._bucket}/{stage}/{key} does not exist. Run the stage '{stage}' first.")
        return _Published(Manifest.parse(content, f"{self._bucket}/{name}"), manifests.named_attempt(content))

    def _fetch(self, published: _Published, copy: Path) -> None:
        for entry in published.manifest.files:
            target = copy / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # what is missing is named below
                self._bucket.download(f"{published.name}/{published.attempt}/{entry.path}", target)
        (copy / manifests.NAME).write_text(published.manifest.to_json(), encoding="utf-8")
        manifests.verify(copy, published.manifest, shown_as=f"{self._bucket}/{published.name}")

    def _let_stand(self, draft: Path, manifest: Manifest) -> None:
        published = _Published(manifest, attempt_of(draft.parent)[1])
        files = f"{published.name}/{published.attempt}"
        for entry in manifest.files:
            self._bucket.upload(draft / entry.path, f"{files}/{entry.path}")
        body = {manifests.ATTEMPT: published.attempt, **json.loads(manifest.to_json())}
        content = (json.dumps(body, indent=1) + "\n").encode()
        if self._bucket.create(f"{published.name}/{manifests.NAME}", content):
            (draft / manifests.NAME).write_text(manifest.to_json(), encoding="utf-8")
            self._cache.adopt(published.copy, draft)  # the next stage on this host need not fetch it
        else:
            self._bucket.remove(files)

    def _clear_away(self, stage: str, abandoned: list[tuple[str, str]]) -> None:
        for key, attempt in abandoned:
            content = self._bucket.read(f"{stage}/{key}/{manifests.NAME}")
            named = "none" if content is None else manifests.named_attempt(content)
            if named not in ("", attempt):  # it died after it had published; a manifest nobody can read says nothing
                self._bucket.remove(f"{stage}/{key}/{attempt}")

"""`server.py posix FOLDER`: as much of an S3 server as s3fs, boto3 and MLflow need, over a folder that outlives a kill.

For tests on machines that reach no image registry. An object is one file, renamed or linked into its place, so that a
kill leaves the old object or the new one. The access key is checked, signatures are not: never use it for real data.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

BLOCK = 1 << 20
PAGE = 1000


class S3Error(Exception):
    """An answer with an error code of S3."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Objects:
    """Buckets as folders, objects as files whose names are their quoted keys, uploads in parts as folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.parts = root / ".parts"
        self.parts.mkdir(parents=True, exist_ok=True)

    def bucket(self, name: str) -> Path:
        """The folder of a bucket."""
        folder = self.root / name
        if not folder.is_dir():
            raise S3Error(404, "NoSuchBucket")
        return folder

    def path(self, bucket: str, key: str) -> Path:
        """The file of an object, whether it is there or not."""
        return self.bucket(bucket) / quote(key, safe="")

    def existing(self, bucket: str, key: str) -> Path:
        """The file of an object that is there."""
        path = self.path(bucket, key)
        if not path.is_file():
            raise S3Error(404, "NoSuchKey")
        return path

    def draft(self) -> IO[bytes]:
        """A file to be placed later."""
        return tempfile.NamedTemporaryFile(dir=self.parts, delete=False)

    def place(self, draft: str, path: Path, *, only_if_new: bool) -> None:
        """Give a complete file its place; `only_if_new` is atomic, since a link cannot replace."""
        if not only_if_new:
            os.replace(draft, path)
            return
        try:
            os.link(draft, path)
        except FileExistsError:
            raise S3Error(412, "PreconditionFailed") from None
        finally:
            os.unlink(draft)

    def listing(self, bucket: str, prefix: str, delimiter: str, after: str) -> tuple[list[str], list[str]]:
        """Keys and common prefixes beyond `after`, sorted."""
        keys = sorted(unquote(entry.name) for entry in os.scandir(self.bucket(bucket)))
        found, folders = [], set()
        for key in keys:
            if not key.startswith(prefix):
                continue
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if cut:
                folders.add(prefix + head + cut)
            elif key > after:
                found.append(key)
        return found, sorted(folder for folder in folders if folder > after)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    objects: Objects
    access_key: str

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer(self._get)

    def do_HEAD(self) -> None:
        """Answer HEAD."""
        self._answer(self._get)

    def do_PUT(self) -> None:
        """Answer PUT."""
        self._answer(self._put)

    def do_POST(self) -> None:
        """Answer POST."""
        self._answer(self._post)

    def do_DELETE(self) -> None:
        """Answer DELETE."""
        self._answer(self._delete)

    def log_message(self, *args: object) -> None:
        """Say nothing of requests that went well."""

    def _answer(self, method: "object") -> None:
        place = urlsplit(self.path)
        self.query = {name: words[0] for name, words in parse_qs(place.query, keep_blank_values=True).items()}
        self.bucket, _, self.key = unquote(place.path).lstrip("/").partition("/")
        try:
            if place.path == "/health":
                self._send(b"OK")
            elif f"Credential={self.access_key}/" not in self.headers.get("Authorization", ""):
                raise S3Error(403, "InvalidAccessKeyId")
            else:
                method()
        except S3Error as error:
            self.close_connection = True  # what is left of the request's body is not read
            self._send(
                f"<Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>".encode(), error.status
            )

    def _get(self) -> None:
        if not self.key:
            self.objects.bucket(self.bucket)
            self._send(b"" if self.command == "HEAD" else self._list())
            return
        path = self.objects.existing(self.bucket, self.key)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            first, last = self._range(size)
            self.send_response(206 if "Range" in self.headers else 200)
            if "Range" in self.headers:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self._send_headers_of(path, last - first + 1)
            if self.command == "GET":
                file.seek(first)
                _copy(file, self.wfile, last - first + 1)

    def _range(self, size: int) -> tuple[int, int]:
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return 0, size - 1
        first, last = found.groups()
        if not first:
            return max(0, size - int(last)), size - 1
        if int(first) >= size:
            raise S3Error(416, "InvalidRange")
        return int(first), min(int(last), size - 1) if last else size - 1

    def _list(self) -> bytes:
        after = self.query.get("continuation-token") or self.query.get("start-after", "")
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        most = int(self.query.get("max-keys", PAGE))
        keys, folders = self.objects.listing(self.bucket, prefix, delimiter, after)
        names = sorted([*keys, *folders])
        page, more = set(names[:most]), len(names) > most
        body = [f"<Prefix>{quote(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><EncodingType>url</EncodingType>"]
        body.append(f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>")
        if more:
            body.append(f"<NextContinuationToken>{escape(names[most - 1])}</NextContinuationToken>")
        for key in keys:
            if key in page:
                with contextlib.suppress(OSError, S3Error):  # deleted meanwhile
                    body.append(self._entry(key))
        body += [f"<CommonPrefixes><Prefix>{quote(name)}</Prefix></CommonPrefixes>" for name in folders if name in page]
        return f"<ListBucketResult>{''.join(body)}</ListBucketResult>".encode()

    def _entry(self, key: str) -> str:
        path = self.objects.path(self.bucket, key)
        state = path.stat()
        changed = formatdate(state.st_mtime, usegmt=True)
        stamp = _iso(state.st_mtime)
        return (
            f"<Contents><Key>{quote(key)}</Key><LastModified>{stamp}</LastModified><ETag>&quot;{_etag(path)}&quot;</ETag>"
            f"<Size>{state.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents><!-- {changed} -->"
        )

    def _put(self) -> None:
        if not self.key:
            (self.objects.root / self.bucket).mkdir(exist_ok=True)
            self._read_body(None)
            self._send(b"")
            return
        target = self.objects.path(self.bucket, self.key)
        if "uploadId" in self.query:
            target = self._upload() / f"{int(self.query['partNumber']):05d}"
        only_if_new = self.headers.get("If-None-Match") == "*"
        with self.objects.draft() as draft:
            if "x-amz-copy-source" in self.headers:
                bucket, _, key = unquote(self.headers["x-amz-copy-source"]).lstrip("/").partition("/")
                with self.objects.existing(bucket, key).open("rb") as source:
                    shutil.copyfileobj(source, draft)
            else:
                self._read_body(draft)
        self.objects.place(draft.name, target, only_if_new=only_if_new)
        copied = f"<CopyObjectResult><ETag>&quot;{_etag(target)}&quot;</ETag></CopyObjectResult>".encode()
        self._send(copied if "x-amz-copy-source" in self.headers else b"", etag=_etag(target))

    def _post(self) -> None:
        if "delete" in self.query:
            body = self._body()
            keys = [_plain(key) for key in re.findall(r"<Key>(.*?)</Key>", body)]
            for key in keys:
                self.objects.path(self.bucket, key).unlink(missing_ok=True)
            gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            self._send(f"<DeleteResult>{gone}</DeleteResult>".encode())
        elif "uploads" in self.query:
            self._read_body(None)
            upload = uuid4().hex
            (self.objects.parts / upload).mkdir()
            self._send(f"<R><UploadId>{upload}</UploadId></R>".encode())
        else:
            self._complete()

    def _complete(self) -> None:
        upload, target = self._upload(), self.objects.path(self.bucket, self.key)
        wanted = [int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", self._body())]
        with self.objects.draft() as draft:
            for number in wanted:
                with (upload / f"{number:05d}").open("rb") as part:
                    shutil.copyfileobj(part, draft)
        self.objects.place(draft.name, target, only_if_new=self.headers.get("If-None-Match") == "*")
        shutil.rmtree(upload, ignore_errors=True)
        name, etag = escape(self.key), _etag(target)
        self._send(f"<R><Bucket>{self.bucket}</Bucket><Key>{name}</Key><ETag>&quot;{etag}&quot;</ETag></R>".encode())

    def _delete(self) -> None:
        if "uploadId" in self.query:
            shutil.rmtree(self._upload(), ignore_errors=True)
        elif self.key:
            self.objects.path(self.bucket, self.key).unlink(missing_ok=True)
        else:
            self.objects.bucket(self.bucket).rmdir()
        self._send(b"", 204)

    def _upload(self) -> Path:
        folder = self.objects.parts / re.sub(r"\W", "", self.query["uploadId"])
        if not folder.is_dir():
            raise S3Error(404, "NoSuchUpload")
        return folder

    def _body(self) -> str:
        with tempfile.TemporaryFile() as file:
            self._read_body(file)
            file.seek(0)
            return file.read().decode()

    def _read_body(self, out: IO[bytes] | None) -> None:
        if "STREAMING" in self.headers.get("x-amz-content-sha256", "") or "Transfer-Encoding" in self.headers:
            for size in iter(lambda: int(self.rfile.readline().split(b";")[0], 16), 0):
                _copy(self.rfile, out, size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            _copy(self.rfile, out, int(self.headers.get("Content-Length", 0)))

    def _send_headers_of(self, path: Path, size: int) -> None:
        self.send_header("Content-Length", str(size))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("ETag", f'"{_etag(path)}"')
        self.send_header("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True))
        self.end_headers()

    def _send(self, body: bytes, status: int = 200, etag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _copy(source: IO[bytes], out: IO[bytes] | None, size: int) -> None:
    for block in _blocks(source, size):
        if out:
            out.write(block)


def _blocks(source: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        block = source.read(min(size, BLOCK))
        if not block:
            raise S3Error(400, "IncompleteBody")
        size -= len(block)
        yield block


def _etag(path: Path) -> str:
    state = path.stat()
    return f"{state.st_ino:x}{state.st_mtime_ns:x}{state.st_size:x}"


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _plain(text: str) -> str:
    from xml.sax.saxutils import unescape

    return unescape(text, {"&quot;": '"', "&apos;": "'", "&#x27;": "'"})


def main() -> None:
    """Serve until ended."""
    Handler.objects, Handler.access_key = Objects(Path(sys.argv[2])), os.environ["ROOT_ACCESS_KEY"]
    port = int(os.environ.get("VGW_PORT", ":7070").rpartition(":")[2])
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()  # noqa: S104 - a container's only purpose


if __name__ == "__main__":
    main()

"""TLS between us and a scheduler: three files of a person become what Dask wants to know."""

# mypy: allow-untyped-calls

from pathlib import Path

from distributed.security import Security

from pinsage.errors import SettingsError
from pinsage.settings import ClusterSettings

_ROLES = ("client", "scheduler", "worker")


def security_of(settings: ClusterSettings) -> Security | None:
    """How connections are secured: by the settings' TLS files, or not at all where none are named.

    With the files, a cluster of this machine speaks TLS too, every process with the same certificate.

    Raises:
        SettingsError: an address with TLS lacks the files, only some of them are named, or one is not there.
    """
    files = {name: getattr(settings, name) for name in ("tls_ca_file", "tls_cert", "tls_key")}
    named = {f"cluster.{name}": file for name, file in files.items() if file}
    missing = sorted({f"cluster.{name}" for name in files} - set(named))
    if not named and not settings.address.startswith("tls://"):
        return None
    if missing:
        has = f"with {', '.join(named)} but " if named else ""
        raise SettingsError(
            f"The scheduler at {settings.address or 'loopback'} is to be reached by TLS {has}without "
            f"{', '.join(missing)}. Name all three files."
        )
    for name, file in named.items():
        if not Path(file).is_file():
            raise SettingsError(f"{name} is '{file}', which is no file. Give the path of a PEM file.")
    pairs = {f"tls_{role}_{kind}": files[f"tls_{kind}"] for role in _ROLES for kind in ("cert", "key")}
    return Security(tls_ca_file=files["tls_ca_file"], require_encryption=True, **pairs)

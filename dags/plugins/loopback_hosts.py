"""Answer only to the names of this machine.

A page on the web can point a name of its own at loopback (DNS rebinding) and would be of one origin with Airflow, which
has no setting for the names that it answers to.
"""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from starlette.middleware.trustedhost import TrustedHostMiddleware

HOSTS = ["127.0.0.1", "localhost"]


class LoopbackHosts(AirflowPlugin):
    """A request with another `Host` gets 400."""

    name = "loopback_hosts"
    fastapi_root_middlewares: ClassVar[list[dict[str, Any]]] = [
        {"name": "loopback hosts", "middleware": TrustedHostMiddleware, "args": [], "kwargs": {"allowed_hosts": HOSTS}}
    ]

"""`healthcheck.py http URL | celery | job TYPE`: exit code 0 if the service of this container works.

Light on purpose: Airflow's own checks import Airflow, five seconds of a core each time.
"""

import os
import socket
import subprocess
import sys
import urllib.request

FRESH_S = 60


def answers(url: str) -> bool:
    """Return whether a server answers with success."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the address is the compose file's
        return bool(answer.status < 400)


def takes_tasks() -> bool:
    """Return whether this container's Celery worker answers a ping that goes through the broker."""
    broker, worker = os.environ["AIRFLOW__CELERY__BROKER_URL"], f"celery@{socket.gethostname()}"
    command = ["celery", "--broker", broker, "--quiet", "inspect", "ping", "--timeout", "8", "--destination", worker]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def reports_in(job_type: str) -> bool:
    """Return whether this container's scheduler, DAG processor or triggerer has lately written its heartbeat."""
    import psycopg2

    address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    query = (
        "SELECT max(latest_heartbeat) > now() - make_interval(secs => %s) FROM job "
        "WHERE job_type = %s AND hostname = %s AND state = 'running'"
    )
    with psycopg2.connect(address, connect_timeout=8) as connection, connection.cursor() as cursor:
        cursor.execute(query, (FRESH_S, job_type, socket.getfqdn()))
        return bool(cursor.fetchone()[0])


def main(words: list[str]) -> int:
    """The exit code of the check that the words name."""
    checks = {"http": answers, "celery": takes_tasks, "job": reports_in}
    try:
        return 0 if checks[words[0]](*words[1:]) else 1
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

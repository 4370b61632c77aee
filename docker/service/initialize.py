"""Prepare the deployment: Airflow's tables, its users and pool, and the bucket. May be repeated without harm."""

import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

USERS = {"admin": "Admin", "operator": "Op", "viewer": "Viewer"}
POOL = ("gpu", "1", "One training at a time")
STORE_S = 120.0


def main() -> int:
    """The exit code: 0 once everything is there."""
    ensure_bucket(os.environ["PINSAGE_STORE"])
    for command in (["db", "migrate"], ["pools", "set", *POOL]):
        subprocess.run(["airflow", *command], check=True)
    ensure_users()
    return 0


def ensure_users() -> None:
    """Create the three users with the passwords of secrets/users.env; a user who is there keeps password and role."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        builder.sm.sync_roles()
        for name, role in USERS.items():
            if builder.sm.find_user(name):
                continue
            password = os.environ[f"PINSAGE_{name.upper()}_PASSWORD"]
            found = builder.sm.find_role(role)
            if not builder.sm.add_user(name, name, "of the pipeline", f"{name}@pinsage.invalid", found, password):
                raise SystemExit(f"Airflow did not create the user '{name}'. Its reason stands above.")
            sys.stdout.write(f"created the user '{name}' with the role {role}\n")


def ensure_bucket(store: str) -> None:
    """Create the bucket of an s3:// store unless it is there; another kind of store is its owner's matter."""
    if urlsplit(store).scheme != "s3":
        return
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, client, deadline = urlsplit(store).netloc, boto3.client("s3"), time.monotonic() + STORE_S
    while True:
        try:
            _create(client, bucket)
            return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                place = os.environ.get("AWS_ENDPOINT_URL", "Amazon S3")
                raise SystemExit(
                    f"The bucket '{bucket}' at {place} cannot be used: {error} "
                    "Check docker/secrets/store.env, or start the profile object-store."
                ) from None
            time.sleep(2)


def _create(client: Any, bucket: str) -> None:
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        client.create_bucket(Bucket=bucket)
        sys.stdout.write(f"created the bucket '{bucket}'\n")


if __name__ == "__main__":
    sys.exit(main())

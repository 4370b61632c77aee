"""Lines of a stage's log: for people, or with `PINSAGE_LOGS=json` one JSON object a line, for collectors of logs.

The names in an object are those of Airflow's own JSON logs: timestamp, level, event, logger. Beside them stand the
run's id, the stage and, as soon as it is known, the key of its artifact.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import NamedTuple

from pinsage.errors import SettingsError

LOGS = "PINSAGE_LOGS"
KINDS = ("text", "json")
_TEXT = re.compile(r"\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)", re.DOTALL)
# Of the process and not of a context: the threads of a stage speak of the same run.
_FIELDS: dict[str, str] = {}


class Line(NamedTuple):
    """A line of a log: level as in `logging`, text, and the fields of a JSON line, without those of the others."""

    level: int
    text: str
    fields: dict[str, str]


class JsonLines(logging.Formatter):
    """A formatter whose lines are JSON objects; a traceback is a part of its event."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": super().format(record),
            "logger": record.name,
            **_FIELDS,
        }
        return json.dumps(line, ensure_ascii=False)


def log_to_stdout() -> None:
    """Send what this process logs to standard output, in the form that PINSAGE_LOGS names.

    Raises:
        SettingsError: PINSAGE_LOGS is neither `text` nor `json`.
    """
    kind = os.environ.get(LOGS) or KINDS[0]
    if kind not in KINDS:
        raise SettingsError(f"{LOGS} is '{kind}'. Give text, or json.")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonLines() if kind == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("pinsage", "tasks"):  # of others warnings alone: gensim tells of every epoch
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def name_lines(**fields: str) -> None:
    """Put fields on every JSON line that this process writes from now on."""
    _FIELDS.update(fields)


def read_line(line: str) -> Line:
    """Take a line of either form apart; any other is information, as it is."""
    if found := _TEXT.fullmatch(line):
        level, text = found.groups()
        return Line(logging.getLevelNamesMapping()[level], text, {})
    body = _object(line)
    if "event" not in body:
        return Line(logging.INFO, line, {})
    level = logging.getLevelNamesMapping().get(str(body.get("level", "")).upper(), logging.INFO)
    fields: dict[str, str] = {name: str(body[name]) for name in ("run_id", "stage", "key") if name in body}
    return Line(level, str(body["event"]), fields)


def _object(line: str) -> dict[str, object]:
    try:
        body = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

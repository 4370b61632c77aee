"""`python -m tasks STAGE`: one stage of one run, as a process of its own.

Log lines go to stdout as they come, with `PINSAGE_LOGS=json` one JSON object each. The last line is the report, one
JSON object: {"stage", "key", "seconds", "reused", "facts"}, or {"stage", "error"}. Exit code 0: done. 2: a retry cannot
help (bad input or settings). 1: it may.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from pinsage.errors import PinSageError, SettingsError
from pinsage.settings.loading import load_settings
from pinsage.settings.schema import Settings
from pinsage.store.machine import keep_memory_reserve, machine_error
from pinsage.store.manifest import Facts
from tasks.running.allowed_places import check_places
from tasks.running.launch import CANNOT_RETRY, record_failure
from tasks.running.log_lines import log_to_stdout, name_lines
from tasks.running.orphan import die_with
from tasks.running.private_files import keep_files_private
from tasks.stages import REFRESH_STAGES, STAGES

log = logging.getLogger("tasks")
_BESIDES = {
    "fail": "mark the MLflow run as failed",
    "variant": "all stages of a run of a comparison, in one process",
    "summarize": "put the runs of a comparison side by side",
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the stage named on the command line, after it has been run."""
    options = _parser().parse_args(argv)
    if options.parent:
        die_with(options.parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        log_to_stdout()
        name_lines(run_id=options.run_id, stage=options.stage)
        keep_memory_reserve()
        keep_files_private()
        _say(_perform(options))
    except PinSageError as error:
        log.error("%s", error)
        return _report_failure(options.stage, str(error), retry_can_help=error.retry_can_help)
    except Exception as error:
        # A full disk or short memory comes as an error of whatever library met it.
        if named := machine_error(error):
            log.error("%s", named)
            return _report_failure(options.stage, str(named), retry_can_help=named.retry_can_help)
        log.exception("%s failed in an unforeseen way", options.stage)
        return _report_failure(options.stage, f"{type(error).__name__}: {error}", retry_can_help=True)
    except SystemExit as error:
        record_failure(options.run_id, options.home, f"{options.stage}: {_reason(error)}", wait=False)
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks", description="Run one stage of one pipeline run.")
    stages = [*STAGES, *(name for name in REFRESH_STAGES if name not in STAGES)]
    parser.add_argument("stage", choices=[*stages, *_BESIDES], help=f"the stage; besides, {_besides()}")
    parser.add_argument("--run-id", required=True, help="the pipeline run, begun if it is new")
    parser.add_argument("--home", required=True, type=Path, help="data folder of the pipeline")
    parser.add_argument(
        "--settings", default="{}", help="flat overrides as JSON, e.g. '{\"walk.num_walks\": 200}'; -: from stdin"
    )
    parser.add_argument("--config", help="YAML preset below the overrides")
    parser.add_argument("--refresh", action="store_true", help="a run with the model that serves, which trains nothing")
    parser.add_argument("--origin", default="{}", help="where the run came from, as a flat JSON object")
    parser.add_argument("--parent", type=int, default=0, help="process to die with")
    parser.add_argument("--comparison", default="{}", help="with 'summarize': ladder, variants and seeds as JSON")
    parser.add_argument("--answer", default="", help="with 'approve': approves, by and note as JSON, recorded first")
    parser.add_argument("--reason", default="", help="with 'fail': why")
    return parser


def _besides() -> str:
    return "; ".join(f"'{name}': {does}" for name, does in _BESIDES.items())


def _perform(options: argparse.Namespace) -> dict[str, Any]:
    from tasks.running.stage_process import mark_failed, perform

    home = options.home.resolve()
    if options.stage == "fail":
        mark_failed(options.run_id, home, options.reason)
        return {"stage": "fail", "key": ""}
    text = sys.stdin.read() if options.settings == "-" else options.settings
    overrides, origin = _json_object(text, "--settings"), _json_object(options.origin, "--origin")
    if options.stage == "summarize":
        asked = _json_object(options.comparison, "--comparison")
        return {"stage": "summarize", "key": "", "facts": _summary(options.run_id, overrides, home, asked)}
    if options.refresh:
        from tasks.running.refresh import open_refresh

        settings = open_refresh(options.run_id, home, overrides, origin).settings
    else:
        settings = load_settings(options.config, overrides)
    check_places(settings, home)
    if options.stage == "variant":
        return {"stage": "variant", "key": "", "facts": _variant(options.run_id, settings, home, origin)}
    if options.stage == "approve" and options.answer:
        _record_answer(options.run_id, home, _json_object(options.answer, "--answer"))
    return asdict(perform(options.stage, options.run_id, settings, home, origin))


def _record_answer(run_id: str, home: Path, answer: dict[str, Any]) -> None:
    from tasks.promoting.approval import answer_for

    log.info("approve: %s", answer_for(run_id, home, **answer).reason)


def _variant(run_id: str, settings: Settings, home: Path, origin: dict[str, str]) -> Facts:
    from tasks.comparing.plan import LAST_STAGE, needed_for
    from tasks.comparing.summary import conclude
    from tasks.running.stage_process import perform

    for stage in needed_for(LAST_STAGE):
        perform(stage, run_id, settings, home, origin)
    return conclude(run_id, home)


def _summary(run_id: str, shared: dict[str, Any], home: Path, asked: dict[str, Any]) -> Facts:
    from tasks.comparing.plan import Comparison, planned_runs
    from tasks.comparing.summary import summarize

    return summarize(run_id, home, planned_runs(run_id, Comparison(**asked), shared))


def _json_object(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"{option} is no JSON ({error}). Write an object, e.g. '{{\"walk.num_walks\": 200}}'."
        ) from None
    if not isinstance(value, dict):
        raise SettingsError(
            f"{option} is {type(value).__name__}, not an object. Write e.g. '{{\"walk.num_walks\": 200}}'."
        )
    return value


def _leave(number: int, frame: FrameType | None) -> None:
    """Turn a request to end into an exit that passes through every `finally`: no draft, no worker process is left."""
    raise SystemExit(128 + number)


def _reason(error: SystemExit) -> str:
    number = int(error.code or 0) - 128
    return f"asked to end by {signal.Signals(number).name}" if number > 0 else f"left with code {error.code}"


def _report_failure(stage: str, error: str, *, retry_can_help: bool) -> int:
    _say({"stage": stage, "error": error})
    return 1 if retry_can_help else CANNOT_RETRY


def _say(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

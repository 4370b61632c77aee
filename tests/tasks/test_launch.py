"""A stage's process is started, heard, stopped and judged."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tasks.running import launch as launching
from tasks.running.launch import REPORT_BYTES, StageCommand, StageFailedError, StageProcess

ROOT = Path(__file__).parents[2]


def command(home, **settings) -> StageCommand:
    return StageCommand("ingest", "r1", home, settings)


@pytest.fixture
def script(monkeypatch):
    """Lets a few lines of Python stand where `python -m tasks ingest` would."""

    def use(body: str) -> None:
        code = textwrap.dedent(body)
        monkeypatch.setattr(StageCommand, "argv", lambda self: [sys.executable, "-u", "-c", code])

    return use


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, timeout_s=10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_missing_data_set_is_refused_in_one_sentence_that_no_retry_can_change(tmp_path):
    """The real child: its sentence becomes the exception, and no traceback is in the log."""
    lines: list[str] = []
    with pytest.raises(StageFailedError, match="nowhere") as caught:
        StageProcess(command(tmp_path, **{"data.dataset": str(tmp_path / "nowhere")})).run(lines.append)
    assert caught.value.retry_can_help is False
    assert not any("Traceback" in line for line in lines)


def test_a_setting_out_of_bounds_is_refused_the_same_way(tmp_path):
    """The name and the value are in the sentence."""
    with pytest.raises(StageFailedError, match=r"walk\.num_walks = 0") as caught:
        StageProcess(command(tmp_path, **{"walk.num_walks": 0})).run(print)
    assert caught.value.retry_can_help is False


def test_lines_come_as_they_are_written_and_the_report_last(tmp_path, script):
    """The first line is heard while the process still waits for the file that the listener writes."""
    signal_file = tmp_path / "go"
    script(f"""
        import json, pathlib, time
        print("hello")
        while not pathlib.Path({str(signal_file)!r}).exists(): time.sleep(0.01)
        print("goodbye")
        print(json.dumps({{"stage": "ingest", "key": "k", "seconds": 1.5, "reused": False, "facts": {{"pins": 3}}}}))
    """)
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        signal_file.touch()

    report = StageProcess(command(tmp_path)).run(hear)
    assert lines == ["hello", "goodbye"]
    assert report == {"stage": "ingest", "key": "k", "seconds": 1.5, "reused": False, "facts": {"pins": 3}}


def test_lines_after_the_report_do_not_hide_it(tmp_path, script):
    """A library that says something at exit is common."""
    script('print(\'{"stage": "ingest", "key": "k"}\'); print("bye from a library")')
    assert StageProcess(command(tmp_path)).run(print)["key"] == "k"


def test_a_report_too_large_for_an_xcom_loses_its_longest_facts(tmp_path, script):
    """The rest stays, and how many were left out is said."""
    script("""
        import json
        facts = {"pins": 3, "long": "x" * 5000, "longer": "é" * 6000}
        print(json.dumps({"stage": "ingest", "key": "k", "facts": facts}))
    """)
    report = StageProcess(command(tmp_path)).run(print)
    assert report["facts"] == {"pins": 3, "facts_left_out": 2}
    assert len(str(report)) < REPORT_BYTES


@pytest.mark.parametrize(("code", "retry_can_help"), [(1, True), (2, False), (7, True)])
def test_a_process_without_a_report_is_judged_by_its_exit_code(tmp_path, script, code, retry_can_help):
    """Even a success without a result is a failure; the last line is quoted."""
    script(f"print('last words'); raise SystemExit({code})")
    with pytest.raises(StageFailedError, match=f"exit code {code}.*last words") as caught:
        StageProcess(command(tmp_path)).run(print)
    assert caught.value.retry_can_help is retry_can_help


def test_a_process_killed_from_outside_can_be_tried_again(tmp_path, script):
    """The signal is named."""
    script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StageFailedError, match="SIGKILL") as caught:
        StageProcess(command(tmp_path)).run(print)
    assert caught.value.retry_can_help is True


def test_stop_passes_sigterm_on_and_lets_the_stage_leave_cleanly(tmp_path, script):
    """As Airflow's on_kill does, from inside the listener."""
    script("""
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("checkpoint written"))
        print("ready")
        time.sleep(60)
    """)
    process, lines = StageProcess(command(tmp_path)), []

    def hear(line: str) -> None:
        lines.append(line)
        process.stop()

    with pytest.raises(StageFailedError, match="checkpoint written"):
        process.run(hear)
    assert lines == ["ready", "checkpoint written"]


def test_a_stage_that_will_not_end_is_killed_with_all_it_started(tmp_path, script):
    """After the grace period, grandchildren included."""
    script("""
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
        time.sleep(60)
    """)
    process, pids = StageProcess(command(tmp_path)), []

    def hear(line: str) -> None:
        pids.append(int(line))
        process.stop(grace_s=0.2)

    with pytest.raises(StageFailedError, match="SIGKILL"):
        process.run(hear)
    assert wait_until(lambda: not is_alive(pids[0]))


def test_an_interrupted_listener_leaves_no_process_behind(tmp_path, script):
    """A timeout raised in the task body ends the stage too."""
    script("import os, time; print(os.getpid()); time.sleep(60)")
    pids: list[int] = []

    def hear(line: str) -> None:
        pids.append(int(line))
        raise TimeoutError

    with pytest.raises(TimeoutError):
        StageProcess(command(tmp_path)).run(hear)
    assert not is_alive(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process ask to die with its parent")
def test_a_stage_dies_with_a_launcher_that_is_killed(tmp_path):
    """kill -9 of the task leaves no orphan that trains on."""
    waits = (
        "import sys, time; from tasks import __main__ as stage\n"
        "stage._perform = lambda options: time.sleep(60)\n"
        "stage.main(sys.argv[1:])"
    )
    code = (
        "import sys; from pathlib import Path; from tasks.running.launch import StageCommand, StageProcess\n"
        "argv = StageCommand.argv\n"
        f"StageCommand.argv = lambda self: [sys.executable, '-c', {waits!r}, *argv(self)[4:]]\n"
        f"process = StageProcess(StageCommand('ingest', 'r1', Path({str(tmp_path)!r})))\n"
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(1), print(process._process.pid, flush=True))).start()\n"
        "process.run(print)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    child = int(launcher.stdout.readline())
    assert is_alive(child)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    assert wait_until(lambda: not is_alive(child))


def test_sigterm_leaves_through_finally_and_has_the_experiment_marked(tmp_path, monkeypatch):
    """The exit code is that of a terminated process, and a process of its own is asked to mark the run."""
    from tasks import __main__ as main_module

    told: list[tuple[str, str]] = []
    monkeypatch.setattr(main_module, "record_failure", lambda run, home, why, *, wait: told.append((run, why)))
    monkeypatch.setattr(main_module, "_perform", lambda options: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            main_module.main(["ingest", "--run-id", "r1", "--home", str(tmp_path)])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 128 + signal.SIGTERM
    assert told == [("r1", "ingest: asked to end by SIGTERM")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 5000, "no JSON"),
        ("9" * 5000, "no JSON"),
        ("[]", "list, not an object"),
        ('{"walk.num_walks": true}', "true"),
    ],
)
def test_settings_that_are_no_settings_cannot_be_retried(tmp_path, capsys, text, words):
    """However deep they nest; one line on stdout, and no traceback."""
    from tasks import __main__ as main_module

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main_module.main(["ingest", "--run-id", "r1", "--home", str(tmp_path), "--settings", text]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr().out
    assert words in said
    assert "Traceback" not in said


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path):
    """The moment between fork and the request to the kernel is covered."""
    argv = StageCommand("ingest", "r1", tmp_path).argv()
    argv[argv.index("--parent") + 1] = "1"
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not (tmp_path / "runs").exists()


def test_record_failure_runs_the_fail_command(tmp_path, monkeypatch):
    """With the reason shortened; the same interpreter, no shell."""
    seen: list[list[str]] = []

    class Child:
        def __init__(self, argv, **options):
            seen.append(argv)

        def wait(self):
            seen.append(["waited"])

    monkeypatch.setattr(launching.subprocess, "Popen", Child)
    launching.record_failure("r1", tmp_path, "why" * 1000)
    assert seen[0][:5] == [sys.executable, "-u", "-m", "tasks", "fail"]
    assert len(seen[0][-1]) == 500
    assert seen[1] == ["waited"]

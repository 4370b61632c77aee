"""A request to stop: SIGTERM becomes a question that the loop asks between two steps."""

import signal
import threading
from types import FrameType, TracebackType

from pinsage.errors import PinSageError


class TrainingInterruptedError(PinSageError):
    """Training was asked to stop, and did, after writing a checkpoint where there is a place for one."""


class TerminationNotice:
    """A block in which SIGTERM only sets `received`. Outside the main thread signals stay with whoever has them."""

    def __init__(self) -> None:
        self.received = False
        self._is_main = threading.current_thread() is threading.main_thread()
        self._before: signal._HANDLER = None

    def __enter__(self) -> "TerminationNotice":
        if self._is_main:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True

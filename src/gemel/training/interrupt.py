"""Ctrl-C between two steps, never within one."""

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While it is open, the first Ctrl-C only sets `asked`; a second one interrupts at once.

    A step that is cut in the middle would leave weights and statistics that no uninterrupted run
    has, and a checkpoint of them could not be resumed to the bit. Outside the main thread, where
    no signal arrives, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: object = None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

"""Several rounds at once, each between servers of its own, as a round waits most of its time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from torture.rounds import Outcome, play
from torture.stage import Stage


class Workers:
    """A context manager around so many stages. Leaving it breaks off the rounds that are under way."""

    def __init__(self, folder: Path, many: int) -> None:
        self._folders = [folder / str(number) for number in range(many)]
        self._stack = ExitStack()
        self._free: SimpleQueue[Stage] = SimpleQueue()
        self._pool = ThreadPoolExecutor(many)

    def __enter__(self) -> Workers:
        try:
            for stage in self._pool.map(self._stage, self._folders):
                self._free.put(stage)
        except BaseException:
            self._pool.shutdown(cancel_futures=True)  # stages that are starting, too
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def play(self, seeds: Sequence[str], only: str = "") -> Iterator[Outcome]:
        """The outcome of the round of each seed, as they end."""
        waiting = iter(enumerate(seeds))
        playing: set[Future[Outcome]] = set()
        while True:
            for number, seed in itertools.islice(waiting, len(self._folders) - len(playing)):
                playing.add(self._pool.submit(self._play, seed, number, only))
            if not playing:
                return
            ended, playing = wait(playing, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in ended)

    def _play(self, seed: str, number: int, only: str) -> Outcome:
        stage = self._free.get()
        try:
            return play(stage, seed, number, only)
        finally:
            self._free.put(stage)

    def _stage(self, folder: Path) -> Stage:
        folder.mkdir()
        return self._stack.enter_context(Stage(folder))

    def _close(self) -> None:
        self._stack.close()  # what is under way fails by it
        self._pool.shutdown(cancel_futures=True)

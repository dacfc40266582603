"""The process of one strategy: a fresh interpreter that answers requests until its pipe closes."""

from __future__ import annotations

import faulthandler
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from strategies.domain.base import BaseStrategy, SteppingStrategy
from strategies.domain.checks import prove
from strategies.domain.errors import InvalidParameters
from strategies.domain.params import as_json
from strategies.sandbox.frames import read_frame, write_frame
from strategies.sandbox.limits import Limits, Refused, hold_to
from strategies.sandbox.loading import Loaded, hash_of, load
from strategies.sandbox.series_frames import series_of

Request = Mapping[str, Any]
Arrays = Sequence[NDArray[Any]]
_LONGEST_REASON: Final = 2_000
Answer = tuple[dict[str, Any], Arrays]


def main() -> None:
    """Answer requests until there are no more.

    Arguments: the numbers of three files, folder, deadline, memory, output, reference.
    """
    reading, writing, faults = (int(text) for text in sys.argv[1:4])
    folder, reference = sys.argv[4], sys.argv[8]
    limits = Limits(float(sys.argv[5]), int(sys.argv[6]), int(sys.argv[7]))
    sys.path.insert(0, folder)
    # Its memory is the interpreter's, not the strategy's.
    import numba  # noqa: F401

    faulthandler.enable(faults)
    output = hold_to(limits)
    child = Child(reference, limits)
    with os.fdopen(reading, "rb") as requests, os.fdopen(writing, "wb") as answers:
        while (frame := read_frame(requests)) is not None:
            output.refill()
            # It ends the process from outside the interpreter, and says where it was.
            faulthandler.dump_traceback_later(limits.deadline_s, exit=True, file=faults)
            answer = child.answer(*frame)
            faulthandler.cancel_dump_traceback_later()
            output.flush()
            write_frame(answers, *answer)


class Child:
    """One strategy, loaded at the first request and made anew when its parameters change."""

    def __init__(self, reference: str, limits: Limits) -> None:
        self._reference, self._limits = reference, limits
        self._loaded_once: Loaded | None = None
        self._made: tuple[Any, BaseStrategy] | None = None

    def answer(self, request: Request, arrays: Arrays) -> Answer:
        """Return the answer; what the strategy raises is one too."""
        try:
            return _ANSWERS[request["ask"]](self, request, arrays)
        except InvalidParameters as error:
            return {"invalid": error.errors}, ()
        except BaseException as error:  # SystemExit and refusals are answers as well
            return {"failed": self._explained(error)}, ()

    def describe(self, _request: Request, _arrays: Arrays) -> Answer:
        loaded = self._loaded()
        strategy = loaded.strategy
        described = {
            "key": getattr(strategy, "key", strategy.__name__),
            "title": getattr(strategy, "title", strategy.__name__),
            "source": getattr(strategy, "source", ""),
            "help": inspect.getdoc(strategy) or "",
            "parameters": [as_json(parameter) for parameter in strategy.parameters],
            "has_steps": issubclass(strategy, SteppingStrategy),
            "code": loaded.code,
            "file": loaded.file,
            "changed_at": loaded.changed_at,
        }
        return described, ()

    def create(self, request: Request, _arrays: Arrays) -> Answer:
        strategy = self._strategy(request)
        panes = {str(name): str(pane) for name, pane in strategy.get_panes().items()}
        made = {"warmup": int(strategy.warmup), "params": strategy.params, "panes": panes}
        return {**made, "code": self._loaded().code}, ()

    def run(self, request: Request, arrays: Arrays) -> Answer:
        strategy, candles = self._strategy(request), series_of(request["candles"], arrays)
        targets = _floats(strategy.process_data(candles), "process_data", len(candles))
        indicators = {
            str(name): _floats(values, f"get_indicators, {name!r}", len(candles))
            for name, values in strategy.get_indicators(candles).items()
        }
        return {"indicators": list(indicators)}, [targets, *indicators.values()]

    def prove(self, request: Request, arrays: Arrays) -> Answer:
        proofs = prove(self._strategy(request), series_of(request["candles"], arrays))
        names = ("name", "is_passed", "detail", "compared")
        return {"proofs": [[getattr(proof, name) for name in names] for proof in proofs]}, ()

    def begin(self, request: Request, _arrays: Arrays) -> Answer:
        return {"state": dict(self._stepping(request).begin())}, ()

    def step(self, request: Request, arrays: Arrays) -> Answer:
        candle = series_of(request["candles"], arrays)
        state, target = self._stepping(request).step(request["state"], candle)
        return {"state": dict(state)}, [np.array([target], dtype=np.float64)]

    def _loaded(self) -> Loaded:
        if self._loaded_once is None:
            self._loaded_once = load(self._reference)
        return self._loaded_once

    def _strategy(self, request: Request) -> BaseStrategy:
        if request.get("code_hash") not in (None, hash_of(self._loaded().code)):
            # After a failure it is loaded anew, and may be another one by then.
            raise Refused("its code was changed since it was opened")
        wanted = (request["timeframe"], request["params"])
        if self._made is None or self._made[0] != wanted:
            self._made = (wanted, self._loaded().strategy(*wanted))
        return self._made[1]

    def _stepping(self, request: Request) -> SteppingStrategy:
        strategy = self._strategy(request)
        if not isinstance(strategy, SteppingStrategy):
            raise TypeError("the strategy has no step")
        return strategy

    def _explained(self, error: BaseException) -> dict[str, Any]:
        """Return file, line and reason: the innermost line that is the author's."""
        if isinstance(error, SyntaxError):
            return {
                "file": error.filename,
                "line": error.lineno,
                "reason": f"SyntaxError: {error.msg}",
            }
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if _is_the_authors(frame.filename)]
        last = own[-1] if own else None
        return {
            "file": last.filename if last else self._reference,
            "line": last.lineno if last else None,
            "reason": self._reason(error),
        }

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, MemoryError):
            return f"MemoryError: it needs more than {self._limits.memory_mb} MB"
        if isinstance(error, Refused):
            return str(error)
        return "".join(traceback.format_exception_only(error)).strip()[:_LONGEST_REASON]


def _is_the_authors(file: str) -> bool:
    return "site-packages" not in file and not file.startswith(_NOT_THE_AUTHORS)


def _floats(values: Any, name: str, count: int) -> NDArray[np.float64]:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.shape != (count,):
        raise ValueError(
            f"{name}: expected one value for each of {count} candles; the shape was {array.shape}"
        )
    return array


_ROOT = Path(__file__).parents[2]
_NOT_THE_AUTHORS: Final = (
    "<",
    f"{_ROOT / 'strategies'}/",
    f"{_ROOT / 'marketdata'}/",
    sysconfig.get_paths()["stdlib"],
)

_ANSWERS: Final[Mapping[str, Callable[[Child, Request, Arrays], Answer]]] = {
    "describe": Child.describe,
    "create": Child.create,
    "run": Child.run,
    "prove": Child.prove,
    "begin": Child.begin,
    "step": Child.step,
}

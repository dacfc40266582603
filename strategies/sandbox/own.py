"""A person's own strategy, as the rest of the program sees one."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.base import Floats, State
from strategies.domain.checks import Proof
from strategies.domain.params import Parameter, Values, from_json
from strategies.sandbox.limits import Limits
from strategies.sandbox.loading import hash_of
from strategies.sandbox.process import StrategyProcess
from strategies.sandbox.series_frames import described


@dataclass(frozen=True, slots=True)
class Description:
    """What a strategy says of itself; `code` is the text of its file.

    `changed_at`, in seconds since 1970, is when that file was last changed.
    """

    key: str
    title: str
    help: str
    source: str
    parameters: tuple[Parameter, ...]
    has_steps: bool
    code: str
    file: str
    changed_at: float

    @property
    def code_hash(self) -> str:
        """The SHA-256 of the code."""
        return hash_of(self.code)


def describe(process: StrategyProcess, key: str) -> Description:
    """Return what the strategy says of itself, under the key that people use."""
    told, _ = process.ask("describe")
    return Description(
        key=key,
        title=str(told["title"]),
        help=str(told["help"]),
        source=str(told["source"]),
        parameters=tuple(from_json(each) for each in told["parameters"]),
        has_steps=bool(told["has_steps"]),
        code=str(told["code"]),
        file=str(told["file"]),
        changed_at=float(told["changed_at"]),
    )


class OwnStrategy:
    """A strategy whose code runs in another process. Raises StrategyFailed for whatever it does.

    Close it, or use it as a context: its process lives that long.
    """

    def __init__(
        self,
        reference: str,
        folder: str,
        limits: Limits,
        timeframe: Timeframe | str,
        params: Values | None = None,
    ) -> None:
        """Raises InvalidParameters like a built-in one."""
        self.timeframe = Timeframe(timeframe)
        self._process = StrategyProcess(reference, folder, limits)
        self._request: dict[str, Any] = {"timeframe": self.timeframe, "params": dict(params or {})}
        self._seen: tuple[weakref.ref[Any], dict[str, Floats]] | None = None
        try:
            made, _ = self._process.ask("create", self._request)
        except BaseException:
            self.close()
            raise
        self.params: Mapping[str, Any] = made["params"]
        self.warmup = int(made["warmup"])
        self.code = str(made["code"])
        """The text of its file as its process loaded it, whatever became of the file since."""
        self._request["code_hash"] = self.code_hash
        self._panes: Mapping[str, str] = made["panes"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def code_hash(self) -> str:
        """The SHA-256 of the code."""
        return hash_of(self.code)

    def close(self) -> None:
        """End the strategy's process."""
        self._process.close()

    def process_data(self, candles: Series) -> Floats:
        """Return the target after each candle; see BaseStrategy."""
        answer, arrays = self._ask("run", candles)
        indicators = dict(zip(answer["indicators"], arrays[1:], strict=True))
        self._seen = (weakref.ref(candles.rows), indicators)
        targets: Floats = arrays[0]
        return targets

    def get_indicators(self, candles: Series) -> dict[str, Floats]:
        """Return what decisions are made by, for charts; see BaseStrategy."""
        if self._seen is None or self._seen[0]() is not candles.rows:
            self.process_data(candles)
        return dict(self._seen[1]) if self._seen else {}

    def get_panes(self) -> Mapping[str, str]:
        """Return where charts draw indicators, by name; see BaseStrategy."""
        return dict(self._panes)

    def prove(self, candles: Series) -> tuple[Proof, ...]:
        """Return the proofs, made in the strategy's process."""
        answer, _ = self._ask("prove", candles)
        return tuple(Proof(*proof) for proof in answer["proofs"])

    def begin(self) -> State:
        """Return the state before the first candle."""
        answer, _ = self._process.ask("begin", self._request)
        state: State = answer["state"]
        return state

    def step(self, state: State, candle: Series) -> tuple[State, float]:
        """Return the state and the target after the next candle."""
        answer, arrays = self._ask("step", candle, state=dict(state))
        return answer["state"], float(arrays[0][0])

    def _ask(self, question: str, candles: Series, **more: Any) -> tuple[dict[str, Any], list[Any]]:
        header, arrays = described(candles)
        return self._process.ask(question, {**self._request, "candles": header, **more}, arrays)

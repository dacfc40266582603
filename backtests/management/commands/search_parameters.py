"""Search the parameters of a strategy: here, and on the workers that have time."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.management.asking import add_run_arguments, asked
from backtests.models import Search
from backtests.requests import InvalidBacktest
from backtests.searches import found_search, request_search
from backtests.searching.asking import SearchRequest
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyError
from strategies.domain.params import Parameter, parse
from strategies.management.pairs import named_values
from tcpdashboard.common.jobs.runner import run_job

WAIT_S = 0.5
SHOWN = 10


class Command(BaseCommand):
    help = "Search the parameters of a strategy over stored candles and print the best."

    def add_arguments(self, parser: CommandParser) -> None:
        add_run_arguments(parser)
        parser.add_argument(
            "--space",
            action="append",
            default=[],
            metavar="NAME=MIN:MAX[:STEP] or NAME=A,B,C",
            help="A parameter to search; any number.",
        )
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="One that stays."
        )
        parser.add_argument("--method", default="grid", help="grid, random or optuna.")
        parser.add_argument("--count", type=int, help="Trials; not of a grid.")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--objective", default="sharpe", help="The metric to be best.")
        parser.add_argument("--direction", help="max or min; by the metric when left out.")
        parser.add_argument(
            "--holdout", type=float, metavar="SHARE", help="Test the best on the last share."
        )
        parser.add_argument("--walk-forward", choices=("rolling", "anchored"))
        parser.add_argument("--train-days", type=int)
        parser.add_argument("--test-days", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            search = request_search(_request(options))
        except (InvalidBacktest, StrategyError) as error:
            raise CommandError(str(error)) from error
        search = self._run(search, is_quiet=options["json"])
        if search.state != Search.State.DONE:
            told = search.error or next((job.error for job in search.jobs.all() if job.error), "")
            raise CommandError(f"{search} is {search.state}: {told}")
        if options["json"]:
            self.stdout.write(json.dumps({"id": search.pk, **search.summary}))
        else:
            self._print(search)

    def _run(self, search: Search, *, is_quiet: bool) -> Search:
        """Take part in a search until it ends; workers take the other shares."""
        ended = (Search.State.DONE, Search.State.FAILED, Search.State.CANCELLED)
        while search.state not in ended:
            for job in search.jobs.all():
                run_job(job.pk)
            search = found_search(search.pk)
            if not is_quiet:
                self.stdout.write(f"{search.done} of {search.total} trials")
            if search.state not in ended:
                time.sleep(WAIT_S)
        return search

    def _print(self, search: Search) -> None:
        for told in search.summary["best"][:SHOWN]:
            values = ", ".join(f"{name} {value}" for name, value in told["parameters"].items())
            outside = (told["outside"] or {}).get(search.objective)
            shown = "" if outside is None else f", out of sample {outside:.4f}"
            self.stdout.write(f"{search.objective} {told['objective']:.4f}{shown}: {values}")
        luck = search.summary["deflated_sharpe"]
        if luck:
            self.stdout.write(
                f"deflated Sharpe {luck['probability']:.1%}: {luck['sharpe']:.2f} a year, the "
                f"best of {luck['trials']} worthless trials would show {luck['threshold']:.2f}"
            )
        for badge in search.badges:
            self.stdout.write(f"note: {badge}")
        self.stdout.write(f"search {search.pk}: {search.total} trials")


def _request(options: dict[str, Any]) -> SearchRequest:
    parameters = describe_strategy(options["strategy"]).parameters
    axes = named_values("--space", options["space"])
    return SearchRequest(
        space={name: _axis(parameters, name, text) for name, text in axes.items()},
        parameters=parse(parameters, named_values("--param", options["param"])),
        method=options["method"],
        count=options["count"],
        seed=options["seed"],
        objective=options["objective"],
        direction=options["direction"],
        validation=_validation(options),
        **asked(options),
    )


def _validation(options: dict[str, Any]) -> dict[str, Any]:
    if options["walk_forward"] and options["holdout"]:
        raise CommandError("expected --holdout or --walk-forward, not both")
    if options["holdout"]:
        return {"kind": "holdout", "share": options["holdout"]}
    if not options["walk_forward"]:
        return {"kind": "none"}
    days = {name: options[name] for name in ("train_days", "test_days")}
    return {"kind": "walk_forward", "mode": options["walk_forward"], **days}


def _axis(parameters: tuple[Parameter, ...], name: str, text: str) -> dict[str, Any]:
    """Return the axis that MIN:MAX[:STEP] or A,B,C describes; checked later."""
    if ":" not in text:
        values = [parse(parameters, {name: part})[name] for part in text.split(",")]
        return {"values": values}
    parts = [parse(parameters, {name: part})[name] for part in text.split(":")]
    if len(parts) > 3:
        raise CommandError(f"expected --space {name}=MIN:MAX:STEP; was {text!r}")
    return dict(zip(("min", "max", "step"), parts, strict=False))

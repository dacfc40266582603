"""The forms that make and change a bot, with what is known of the strategy and the data."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.services import request_backtest
from backtests.views.coverage import tone_of
from bots import services
from bots.forms import BotForm, first_values, values_of
from bots.models import Bot
from bots.models.access import may_order
from bots.models.figures import exchange_clocks
from bots.services import InvalidBot
from bots.views.access import bot_or_404
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage import integrity
from marketdata.views.feeds import feed_of
from marketdata.views.windows import stored_stretch
from strategies.domain.errors import StrategyError
from strategies.models import StrategyConfig
from strategies.proving import has_standing_proof

REHEARSAL_DAYS: Final = 90


@require_http_methods(["GET", "HEAD", "POST"])
def new_bot(request: HttpRequest) -> HttpResponse:
    """Show the form; make the bot and, when asked to, start it."""
    if request.method != "POST":
        form = BotForm(request.user, initial=first_values(request.user, request.GET))
        return _page(request, form)
    form = BotForm(request.user, request.POST)
    bot = form.save() if form.is_valid() else None
    if bot is None:
        return _page(request, form)
    if "start" in request.POST:
        _start(request, bot)
    else:
        messages.success(request, f"{bot} is made. It waits until you start it.")
    return redirect("bot", bot.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_bot(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a bot; what decides or trades makes its next version."""
    bot = bot_or_404(request, pk)
    if not may_order(request.user, bot):
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, BotForm(request.user, initial=values_of(bot), bot=bot), bot)
    form = BotForm(request.user, request.POST, bot=bot)
    saved = form.save() if form.is_valid() else None
    if saved is None:
        return _page(request, form, bot)
    if saved.version != bot.version:
        at = " It takes effect at the next candle." if saved.state in Bot.ALIVE else ""
        messages.success(request, f"{saved} is at version {saved.version} now.{at}")
    return redirect("bot", pk)


@require_safe
def facts_part(request: HttpRequest) -> HttpResponse:
    """Answer what is known of the chosen configuration's proof and the instrument's data."""
    config, instrument = request.GET.get("config", ""), request.GET.get("instrument", "")
    return render(request, "bots/facts.html", _facts(request.user, config, instrument))


@require_POST
def rehearse(request: HttpRequest) -> JsonResponse:
    """Backtest what the form says over the last 90 days; answer where it is followed."""
    form = BotForm(request.user, request.POST)
    if not form.is_valid():
        return JsonResponse({"errors": _texts(form)}, status=400)
    config = StrategyConfig.objects.visible_to(request.user).get(pk=form.cleaned_data["config"])
    try:
        draft = services.checked(request.user, form.given())
        asked = _last_days(draft, config)
        backtest = request_backtest(asked, cast("User", request.user), tags=("before a bot",))
    except (InvalidBot, InvalidBacktest) as error:
        form.refuse(error.errors)
        return JsonResponse({"errors": _texts(form)}, status=400)
    return JsonResponse(
        {
            "id": backtest.pk,
            "topic": backtest.job.topic if backtest.job else None,
            "url": reverse("backtest", args=[backtest.pk]),
        },
        status=201,
    )


def _last_days(draft: services.BotDraft, config: StrategyConfig) -> BacktestRequest:
    stretch = stored_stretch(draft.instrument, Timeframe.M1)
    if stretch is None:
        raise InvalidBot({"symbol": f"no candle of {draft.instrument} is stored yet"})
    end_ms = stretch[1] // MINUTE_MS * MINUTE_MS
    return BacktestRequest.of_config(
        config,
        exchange=draft.instrument.exchange,
        symbol=draft.instrument.symbol,
        start_ms=max(stretch[0], end_ms - REHEARSAL_DAYS * DAY_MS),
        end_ms=end_ms,
        trading=draft.trading,
    )


def _start(request: HttpRequest, bot: Bot) -> None:
    try:
        services.start_bot(bot, cast("User", request.user))
    except InvalidBot as error:
        told = "; ".join(error.errors.values())
        messages.warning(request, f"{bot} is made, and was not started: {told}.")
    else:
        messages.success(request, f"{bot} is made, and starts with its next step.")


def _page(request: HttpRequest, form: BotForm, bot: Bot | None = None) -> HttpResponse:
    config = str(form["config"].value() or "") or _first(form, "config")
    instrument = str(bot.instrument) if bot else str(form["instrument"].value() or "")
    instrument = instrument or _first(form, "instrument")
    context = {
        "section": "bots",
        "form": form,
        "bot": bot,
        "has_configs": bool(_first(form, "config")),
        "has_instruments": Instrument.objects.enabled().exists(),
        **_facts(bot.owner if bot else request.user, config, instrument),
    }
    return render(request, "bots/form.html", context)


def _first(form: BotForm, name: str) -> str:
    choices: Any = form.fields[name]
    return next((str(value) for value, _ in choices.choices), "")


def _facts(user: Any, config: str, instrument: str) -> dict[str, Any]:
    exchange, _, symbol = instrument.partition(":")
    found = Instrument.objects.filter(exchange=exchange, symbol=symbol).first()
    chosen = None
    if config.isdigit() and len(config) < 19:
        chosen = StrategyConfig.objects.visible_to(user).filter(pk=config).first()
    return {"proof": _proof(chosen), "data": _data(found)}


def _proof(config: StrategyConfig | None) -> dict[str, Any] | None:
    if config is None:
        return None
    try:
        stands = has_standing_proof(config)
    except StrategyError as error:
        return {"config": config, "tone": "bad", "word": "Cannot be loaded", "why": str(error)}
    if stands:
        return {"config": config, "tone": "good", "word": "Proved"}
    word = {None: "Not proved yet", False: "Failed its proofs"}.get(
        config.is_proven, "Its code has changed since"
    )
    return {"config": config, "tone": "bad" if config.is_proven is False else "warn", "word": word}


def _data(instrument: Instrument | None) -> dict[str, Any] | None:
    if instrument is None:
        return None
    now_ms = exchange_clocks([instrument.exchange])[instrument.exchange]
    end_ms = now_ms // MINUTE_MS * MINUTE_MS
    start_ms = end_ms - REHEARSAL_DAYS * DAY_MS
    stretch = stored_stretch(instrument, Timeframe.M1)
    told: dict[str, Any] = {
        "instrument": instrument,
        "feed": feed_of(instrument, timezone.now()),
        "days": REHEARSAL_DAYS,
        "first": from_ms(stretch[0]) if stretch else None,
    }
    if stretch is None:
        return told | {"tone": "bad", "share": 0.0}
    start_ms = max(start_ms, stretch[0])
    end_ms = min(end_ms, stretch[1])
    if end_ms <= start_ms:
        return told | {"tone": "bad", "share": 0.0}
    found = integrity(instrument, Timeframe.M1, start_ms, end_ms)
    return told | {
        "tone": tone_of(found),
        "share": found.complete_share,
        "start": from_ms(start_ms),
    }


def _texts(form: BotForm) -> dict[str, list[str]]:
    return {name: [str(one) for one in errors] for name, errors in form.errors.items()}

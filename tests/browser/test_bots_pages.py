"""The pages of bots in a browser: make one, watch it trade, order it, see it on a chart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections

from backtests.models import Backtest
from bots.models import Bot, BotCommand, OwnerLimits, ParityReport
from bots.services import checked, create_bot, delete_bot, edit_bot, start_bot, stop_bot
from bots.tasks import tick
from marketdata.models import Collector, Instrument, from_ms
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig
from tcpdashboard.common.jobs.runner import run_job
from tests.browser.charts import PHONE
from tests.browser.conftest import EXCHANGE, NAME
from tests.browser.test_accessibility import MISPLACED, NAMELESS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

CONFIG = "browser crossing"
LONG_S = 7 * 86_400
# Fields that name a help or an error that is not there.
DANGLING = """
[...document.querySelectorAll("[aria-describedby]")]
  .filter((each) => each.getAttribute("aria-describedby").split(" ")
    .some((id) => document.getElementById(id) === null))
  .map((each) => each.id)
"""
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _database(site, django_db_blocker, monkeypatch):
    """Let tests use the database beside the browser's loop; no bot is left behind."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with django_db_blocker.unblock():
        if not StrategyConfig.objects.filter(name=CONFIG).exists():
            prove(StrategyConfig.objects.create(**PARAMETERS))
        tell_time(site, -DAY)
        yield
        OwnerLimits.objects.all().delete()
        # Ledgers refuse to be deleted: bots are hidden, as people delete them.
        Bot.objects.update(state="stopped", deleted_at=from_ms(site.end_ms))
        connection.close()


PARAMETERS = {
    "owner": None,
    "name": CONFIG,
    "strategy": "ema_crossover",
    "timeframe": "5m",
    "params": {"fast": 5, "slow": 20, "sides": "long"},
}


def prove(config):
    code = describe_strategy(config.strategy).code_hash
    proof = {"is_proven": True, "proven_at": from_ms(0), "proven_code": code}
    StrategyConfig.objects.filter(pk=config.pk).update(**proof)


def tell_time(site, before=timedelta()):
    """Let the exchange's clock stand at the end of history, or so much before it."""
    Collector.objects.filter(name=EXCHANGE).update(exchange_time=from_ms(site.end_ms) + before)


def step():
    """Do the tick of the instrument, as a worker would."""
    tick(Instrument.objects.get(exchange=EXCHANGE, symbol="BTC-USDT").pk)


def make(name="mine"):
    owner = get_user_model().objects.get(username=NAME)
    given = {"name": name, "symbol": "BTC-USDT", "exchange": EXCHANGE, "config": CONFIG}
    return create_bot(owner, checked(owner, given | {"max_entry_age_s": LONG_S}))


def traded(site, name="mine"):
    """Make a bot that has traded the last day."""
    tell_time(site, -DAY)
    bot = make(name)
    start_bot(bot, bot.owner)
    step()
    tell_time(site)
    step()
    bot.refresh_from_db()
    assert bot.state == "running", bot.last_traceback
    assert bot.fills.count() > 4
    return bot


def do(job_id):
    """Do a job in a thread of its own, as a worker would; return what became of it."""
    with ThreadPoolExecutor(1) as worker:
        return worker.submit(_done, job_id).result()


def _done(job_id):
    try:
        return run_job(job_id)
    finally:
        connections.close_all()


def drawn(layer):
    """Return the script that says whether a chart shows marks of a layer."""
    plot = "(document.querySelector('tcp-chart .plot').data ?? [])"
    is_mark = f"name === '{layer}' && mode === 'markers' && x.length"
    return f"{plot}.some(({{name, mode, x}}) => {is_mark})"


def state_is(page, word):
    page.wait_for_selector(f".state[data-cell=state]:text-is('{word}')")


def test_a_bot_is_made_started_watched_and_stopped(open_page, site):
    page = open_page()
    page.goto("/bots/")
    page.click("text=Make your first bot")
    page.wait_for_selector("#facts .state:text-is('Proved')")
    page.fill("#id_name", "")
    page.select_option("#id_instrument", f"{EXCHANGE}:BTC-USDT")
    page.fill("#id_max_entry_age_s", str(LONG_S))
    page.click("text=Make and start")
    page.wait_for_selector(".field:has(#id_name) .form-error")
    assert page.input_value("#id_max_entry_age_s") == str(LONG_S)
    page.fill("#id_name", "watched")
    page.click("text=Make and start")
    state_is(page, "Starting")
    page.wait_for_selector("#connection[data-state=live]")
    step()
    state_is(page, "Running")
    tell_time(site)
    step()
    bot = Bot.objects.get(name="watched")
    page.wait_for_selector("table[data-kind=fills] tbody tr")
    page.wait_for_selector("#curve[data-drawn]")
    page.wait_for_function(f"() => {drawn('watched')}")
    page.click("button:text-is('Pause')")
    page.wait_for_selector(".waiting:has-text('Pause')")
    step()
    state_is(page, "Paused")
    page.click("button:text-is('Stop')")
    # Flat it would be at the next minute's open, and history ends here.
    page.check("#confirm-box")
    page.click("#confirm-yes")
    state_is(page, "Stopping")
    step()
    state_is(page, "Stopped")
    bot.refresh_from_db()
    assert bot.state == "stopped"
    assert list(bot.commands.values_list("kind", flat=True)) == ["pause"]


class Line:
    """The pages' way to the stream: it can be cut, and is made again by themselves."""

    def __init__(self, page, *, is_cut=False):
        self.page, self.is_cut, self.sockets = page, is_cut, []
        page.route_web_socket("**/ws/stream/", self._open)

    def _open(self, socket):
        if self.is_cut:
            socket.close()
        else:
            self.sockets.append((socket, socket.connect_to_server()))

    def cut(self):
        """Lose the connection; further ones are refused."""
        self.is_cut = True
        for ends in self.sockets:
            for end in ends:
                end.close()
        self.sockets.clear()
        self.page.wait_for_selector("#connection[data-state=offline]")

    def mend(self):
        """Accept connections again, and wait for one."""
        self.is_cut = False
        self.page.wait_for_selector("#connection[data-state=live]")


def test_what_a_bot_did_while_its_page_heard_nothing_is_shown(open_page, site):
    bot = make("unheard")
    start_bot(bot, bot.owner)
    page = open_page()
    line = Line(page, is_cut=True)
    page.goto(f"/bots/{bot.pk}/")
    state_is(page, "Starting")
    step()
    line.mend()
    state_is(page, "Running")
    line.cut()
    tell_time(site)
    step()
    assert page.locator("table[data-kind=fills] tbody tr").count() == 0
    line.mend()
    page.wait_for_selector("table[data-kind=fills] tbody tr")
    page.wait_for_function(f"() => {drawn('unheard')}")
    assert page.locator("table[data-kind=fills] tbody tr").count() == bot.fills.count() > 4


def test_the_first_bot_is_shown_though_nobody_heard_of_it(open_page, site):
    page = open_page()
    line = Line(page, is_cut=True)
    page.goto("/bots/")
    page.wait_for_selector("#no-bots")
    make("unheard")
    assert page.locator("tr[data-name]").count() == 0
    line.mend()
    page.wait_for_selector("tr[data-name=unheard]")
    assert page.locator("tr[data-name]").count() == 1
    assert not page.is_visible("#no-bots")


def test_why_an_order_was_refused_stays_though_the_page_is_fetched_anew(open_page, site):
    bot = traded(site, "refused")
    page = open_page()
    # The browser's console tells of the refusal.
    page.expected.append("409")
    line = Line(page)
    page.goto(f"/bots/{bot.pk}/")
    page.wait_for_selector("#connection[data-state=live]")
    line.cut()
    stop_bot(bot, bot.owner)
    page.click("button:text-is('Pause')")
    page.wait_for_selector("#problem:has-text('it cannot be paused')")
    line.mend()
    state_is(page, "Stopping")
    assert page.is_visible("#problem:has-text('it cannot be paused')")


def test_a_part_that_could_not_be_fetched_says_so_until_it_was(open_page, site):
    bot = traded(site, "unfetched")
    page = open_page()
    page.expected.append("503")
    page.goto(f"/bots/{bot.pk}/")
    page.wait_for_selector("table[data-kind=fills] tbody tr")
    page.route("**records=trips*", lambda route: route.fulfill(status=503))
    page.click("[data-records=trips]")
    page.wait_for_selector("#problem")
    page.unroute("**records=trips*")
    page.click("[data-records=trips]")
    page.wait_for_selector("table[data-kind=trips] tbody tr")
    page.wait_for_selector("#problem", state="hidden")


def test_every_list_of_a_bot_is_read_without_leaving_the_page(open_page, site):
    bot = traded(site)
    page = open_page()
    page.goto(f"/bots/{bot.pk}/")
    for name in ("trips", "orders", "signals", "ledger", "events", "runs"):
        page.click(f"[data-records={name}]")
        page.wait_for_selector(f"table[data-kind={name}] tbody tr")
    page.click("[data-records=ledger]")
    with page.expect_download() as download:
        page.click("#records a:text-is('CSV')")
    assert download.value.suggested_filename == f"bot-{bot.pk}-ledger.csv"
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == bot.ledger.count() + 1


def test_a_notes_text_is_kept(open_page, site):
    bot = make()
    page = open_page()
    page.goto(f"/bots/{bot.pk}/")
    page.fill("#bot-notes", "watch the spread")
    page.click("text=Save notes")
    page.wait_for_selector("#bot-notes")
    assert page.input_value("#bot-notes") == "watch the spread"


def test_several_bots_are_ordered_at_once_and_refusals_are_told(open_page, site):
    traded(site, "first")
    make("second")
    page = open_page()
    page.goto("/bots/")
    page.check("#choose-all")
    page.wait_for_selector("#bulk-count:text-is('2 chosen')")
    page.click("[data-bulk=pause]")
    page.wait_for_selector("#problem:has-text('1 done, 1 refused')")
    step()
    page.wait_for_selector("tr[data-name=first] .state:text-is('Paused')")
    page.select_option("[name=state]", "created")
    page.wait_for_selector("tr[data-name=first]", state="detached")
    assert page.locator("tr[data-name=second]").is_visible()


def test_the_kill_switch_asks_first_then_halts_everything(open_page, site):
    tell_time(site)
    bot = make("doomed")
    start_bot(bot, bot.owner)
    step()
    page = open_page()
    page.goto("/bots/")
    page.wait_for_selector("tr[data-name=doomed] .state:text-is('Running')")
    page.wait_for_selector("#connection[data-state=live]")
    page.click("#open-kill")
    page.click("#kill button:text-is('Leave them')")
    assert not BotCommand.objects.filter(bot=bot).exists()
    page.click("#open-kill")
    page.fill("#kill-why", "enough")
    with page.expect_response("**/api/v1/bots/kill/"):
        page.click("#kill-yes")
    step()
    page.wait_for_selector("tr[data-name=doomed] .state:text-is('Halted')")
    command = BotCommand.objects.get(bot=bot)
    assert (command.kind, command.why, command.asked_by.username) == ("halt", "enough", NAME)


def test_what_others_make_change_and_take_away_appears_by_itself(open_page, site):
    page = open_page()
    page.goto("/bots/")
    page.wait_for_selector("#no-bots")
    page.wait_for_selector("#connection[data-state=live]")
    bot = make("elsewhere")
    page.wait_for_selector("tr[data-name=elsewhere] .state:text-is('Created')")
    names = page.locator("tr[data-name]")
    assert [row.get_attribute("data-name") for row in names.all()] == ["elsewhere"]
    page.wait_for_selector("#connection[data-state=live]")
    page.evaluate("window.isSamePage = true")
    edit_bot(bot, {"name": "renamed"}, bot.owner)
    page.wait_for_selector("tr[data-name=renamed]")
    assert [row.get_attribute("data-name") for row in names.all()] == ["renamed"]
    delete_bot(bot, bot.owner)
    page.wait_for_selector("tr[data-name=renamed]", state="detached")
    assert names.count() == 0
    assert page.evaluate("window.isSamePage") is True


def test_a_bot_that_is_over_is_reset_by_its_button(open_page, site):
    bot = make("again")
    stop_bot(start_bot(bot, bot.owner), bot.owner)
    page = open_page()
    page.goto(f"/bots/{bot.pk}/")
    page.click("button:text-is('Reset')")
    page.click("#confirm button:text-is('Leave it')")
    assert Bot.objects.get(pk=bot.pk).deleted_at is None
    page.click("button:text-is('Reset')")
    page.click("#confirm-yes")
    state_is(page, "Created")
    anew = Bot.objects.get(name="again", deleted_at=None)
    assert anew.pk != bot.pk
    assert page.url.endswith(f"/bots/{anew.pk}/")


def test_the_last_90_days_are_backtested_before_a_bot_is_made(
    open_page, site, settings, static_files
):
    settings.VAR_DIR = static_files
    page = open_page()
    page.goto("/bots/new/")
    page.select_option("#id_instrument", f"{EXCHANGE}:BTC-USDT")
    page.fill("[name='trading.size']", "150")
    # The browser's console tells of the refusal.
    page.expected.append("400")
    page.click("#rehearse")
    page.wait_for_selector(".field:has([name='trading.size']) .form-error")
    page.fill("[name='trading.size']", "50")
    page.click("#rehearse")
    page.wait_for_selector("#rehearsal:has-text('Being computed')")
    assert page.locator(".form-error").count() == 0
    backtest = Backtest.objects.latest("pk")
    assert backtest.trading["size"] == "0.5"
    assert do(backtest.job_id) == "done"
    page.wait_for_selector("#rehearsal dt:text-is('Maximum drawdown')")
    backtest.refresh_from_db()
    shown = page.inner_text("#rehearsal div:has(> dt:text-is('Round trips')) dd")
    assert shown == f"{int(backtest.metrics['round_trips']):,}"
    assert page.get_attribute("#rehearsal a", "href") == f"/backtests/{backtest.pk}/"
    assert not Bot.objects.filter(deleted_at=None).exists()


def test_a_run_is_replayed_when_somebody_asks(open_page, site):
    bot = traded(site, "replayed")
    page = open_page()
    page.goto(f"/bots/{bot.pk}/?records=parity")
    page.wait_for_selector(".nothing:has-text('No run was replayed yet')")
    with page.expect_response("**/parity/") as asked:
        page.click("button:text-is('Replay now')")
    assert do(asked.value.json()["id"]) == "done"
    page.wait_for_selector("table[data-kind=parity] .state:text-is('Matched')")
    page.wait_for_selector(".bot-head a:text-is('Parity: matched')")
    (report,) = ParityReport.objects.filter(run__bot=bot)
    assert report.fills == bot.fills.count()


def test_fills_are_a_layer_of_the_main_chart(open_page, site):
    bot = traded(site, "layered")
    page = open_page()
    page.goto(f"/chart/{EXCHANGE}/BTC-USDT/5m/")
    page.wait_for_selector("tcp-chart[data-drawn]")
    page.click("#open-layers")
    page.check("#layer-menu label:has-text('Bot layered') input")
    page.wait_for_function(f"() => {drawn('layered')}")
    assert f"layers=bot:{bot.pk}" in page.url
    page.reload()
    page.wait_for_function(f"() => {drawn('layered')}")


def test_the_portfolio_shows_what_all_bots_have_and_keeps_limits(open_page, site):
    traded(site, "one")
    traded(site, "two")
    page = open_page()
    page.goto("/portfolio/")
    page.wait_for_selector("#curve[data-drawn]")
    assert page.locator("#ranking tbody tr").count() >= 2
    page.fill("#id_max_drawdown", "250")
    page.click("text=Set limits")
    page.wait_for_selector(".field:has(#id_max_drawdown) .form-error")
    page.fill("#id_max_drawdown", "25")
    page.click("text=Set limits")
    page.wait_for_selector(".notice-success")
    assert OwnerLimits.objects.get(owner__username=NAME).max_drawdown == 0.25


@pytest.mark.parametrize("size", [{}, PHONE], ids=["wide", "phone"])
def test_pages_fit_their_screens_and_name_their_controls(open_page, site, size):
    bot = traded(site, "a rather long name of a bot that somebody chose for it")
    page = open_page(**size)
    for path in (
        "/bots/",
        f"/bots/{bot.pk}/",
        "/bots/new/",
        f"/bots/{bot.pk}/edit/",
        "/portfolio/",
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(NAMELESS) == [], path
        assert page.evaluate(MISPLACED) == [], path
        assert page.evaluate(DANGLING) == [], path
        assert page.locator("h1").count() == 1
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
        assert len(ids) == len(set(ids)), path

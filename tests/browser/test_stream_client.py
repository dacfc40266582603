"""static/js/stream.js in a real browser, against a server that does what a test tells it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from tests.browser.conftest import launched_browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(90)]

SCRIPT = Path(__file__).resolve().parents[2] / "static" / "js" / "stream.js"
PAGE = '<script type="module">import { Stream } from "/stream.js"; window.Stream = Stream;</script>'
# So short that a test is quick, so long that a busy machine keeps up.
OPTIONS = {
    "pingMs": 400,
    "answerMs": 1500,
    "firstRetryMs": 50,
    "lastRetryMs": 400,
    "steadyMs": 100,
    "hiddenMs": 200,
}
START = """(options) => {
    window.heard = [];
    window.states = [];
    window.followed = [];
    window.stream = new Stream(options);
    stream.addEventListener("state", (event) => states.push(event.detail.state));
    window.follow = (topic) => stream.subscribe(topic, (message, info) =>
        heard.push({ topic, seq: message.seq, ...info }), () => followed.push(topic));
}"""


class ScriptedServer:
    """Serves the page and accepts sockets; notes what arrives, sends what a test says."""

    def __init__(self):
        self.sockets = []
        self.answers_pings = True
        self.refuses = False
        self._server = serve(
            self._handle, "127.0.0.1", 0, process_request=self._serve_file, compression=None
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        for socket in self.sockets:
            socket.connection.close()
        self._server.shutdown()
        self._thread.join()

    def _serve_file(self, connection, request):
        if request.path == "/ws/stream/":
            return connection.respond(503, "not now") if self.refuses else None
        is_script = request.path == "/stream.js"
        response = connection.respond(200, SCRIPT.read_text() if is_script else PAGE)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/javascript" if is_script else "text/html"
        return response

    def _handle(self, connection):
        socket = Socket(connection)
        self.sockets.append(socket)
        try:
            for text in connection:
                request = json.loads(text)
                socket.requests.append(request)
                if request["op"] == "ping" and self.answers_pings:
                    socket.send(type="pong", time_ms=0)
        except ConnectionClosed:
            pass
        socket.is_closed = True

    def socket(self, number):
        """Wait for the socket of that number, counted from 1, and return it."""
        wait_until(lambda: len(self.sockets) >= number)
        return self.sockets[number - 1]


class Socket:
    """One socket as the server sees it."""

    def __init__(self, connection):
        self.connection = connection
        self.requests = []
        self.is_closed = False

    def send(self, **message):
        self.connection.send(json.dumps(message))

    def topic(self, kind, seq, epoch="e", topic="t"):
        self.send(topic=topic, epoch=epoch, seq=seq, type=kind)

    def asked(self, op, *topics):
        """Return how often it was asked for that."""
        return self.requests.count({"op": op, "topics": list(topics)} if topics else {"op": op})


def wait_until(condition, timeout_s=15):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def chromium():
    with launched_browser() as browser:
        yield browser


@pytest.fixture
def server():
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def page(chromium, server):
    """A page whose stream has not been asked for anything yet."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.wait_for_function("window.Stream !== undefined")
    page.evaluate(START, OPTIONS)
    yield page
    context.close()


@pytest.fixture
def live(page, server):
    """The server's socket of a page that follows `t` and has its first snapshot."""
    page.evaluate("() => { window.stop = follow('t'); }")
    socket = server.socket(1)
    socket.send(type="status", live=True)
    wait_until(lambda: socket.asked("subscribe", "t"))
    socket.topic("snapshot", 5)
    wait_for_heard(page, 1)
    return socket


def wait_for_heard(page, count):
    page.wait_for_function("(count) => heard.length >= count", arg=count, timeout=15_000)


def wait_for_state(page, state):
    page.wait_for_function("(state) => stream.state === state", arg=state, timeout=15_000)


def heard(page):
    """Return what the handler got: (seq, kind, isResync)."""
    return [(m["seq"], m["kind"], m["isResync"]) for m in page.evaluate("heard")]


def test_a_snapshot_and_its_updates_reach_the_handler(page, live):
    for seq in (6, 7):
        live.topic("update", seq)
    wait_for_heard(page, 3)

    assert heard(page) == [(5, "snapshot", False), (6, "update", False), (7, "update", False)]
    assert page.evaluate("states") == ["connecting", "live"]
    assert page.evaluate("stream.ageMs('t') < 10000 && stream.ageMs('other') === null")


def test_two_topics_share_one_socket_and_unsubscribing_one_leaves_the_other(page, live, server):
    page.evaluate("() => { follow('u'); }")
    wait_until(lambda: live.asked("subscribe", "u"))
    page.evaluate("stop()")
    wait_until(lambda: live.asked("unsubscribe", "t"))
    live.topic("update", 6)
    live.topic("snapshot", 1, topic="u")
    wait_for_heard(page, 2)

    assert [message["topic"] for message in page.evaluate("heard")] == ["t", "u"]
    assert len(server.sockets) == 1


def test_a_second_handler_of_a_topic_begins_with_what_is_known(page, live):
    page.evaluate("() => { follow('t'); }")
    live.topic("update", 6)
    wait_for_heard(page, 4)

    assert [seq for seq, _, _ in heard(page)] == [5, 5, 6, 6]
    assert live.asked("subscribe", "t") == 1


def test_a_hole_makes_the_client_ask_again_and_tell_its_handler(page, live):
    live.topic("update", 8)
    live.topic("update", 9)
    wait_until(lambda: live.asked("subscribe", "t") == 2)
    live.topic("snapshot", 9)
    live.topic("update", 10)
    wait_for_heard(page, 3)

    assert heard(page)[1:] == [(9, "snapshot", True), (10, "update", False)]
    assert live.asked("subscribe", "t") == 2


def test_another_epoch_makes_the_client_ask_again(page, live):
    live.topic("update", 6, epoch="later")
    wait_until(lambda: live.asked("subscribe", "t") == 2)
    live.topic("snapshot", 6, epoch="later")
    wait_for_heard(page, 2)

    assert heard(page)[1] == (6, "snapshot", True)


def test_old_messages_are_dropped_and_merged_ones_are_no_hole(page, live):
    live.topic("update", 5)
    live.topic("update", 4)
    live.topic("merged", 9)
    live.topic("update", 10)
    wait_for_heard(page, 3)

    assert heard(page)[1:] == [(9, "merged", False), (10, "update", False)]
    assert live.asked("subscribe", "t") == 1


def test_an_empty_topic_is_silent_until_its_first_message(page, live):
    page.evaluate("() => { follow('u'); }")
    live.topic("snapshot", 0, epoch="", topic="u")
    live.topic("update", 1, topic="u")
    wait_for_heard(page, 2)

    assert heard(page)[1] == (1, "update", False)


def test_who_follows_is_told_when_it_begins_though_nothing_was_published(page, live, server):
    page.evaluate("() => { follow('u'); }")
    live.topic("snapshot", 0, epoch="", topic="u")
    page.wait_for_function("followed.length === 2")
    page.evaluate("() => { follow('u'); }")
    live.topic("update", 1, topic="u")
    wait_for_heard(page, 3)
    assert page.evaluate("followed") == ["t", "u", "u"]

    live.connection.close(1012)
    second = server.socket(2)
    second.topic("snapshot", 5)
    second.topic("snapshot", 1, topic="u")
    wait_for_heard(page, 6)
    assert page.evaluate("followed.slice(3)") == ["t", "u", "u"]
    assert not any(is_resync for _, _, is_resync in heard(page))


def test_a_lost_connection_is_made_again_and_missed_messages_are_told(page, live, server):
    live.connection.close(1012)
    wait_for_state(page, "connecting")
    second = server.socket(2)
    second.send(type="status", live=True)
    wait_until(lambda: second.asked("subscribe", "t"))
    second.topic("snapshot", 9)
    wait_for_heard(page, 2)

    assert heard(page)[1] == (9, "snapshot", True)
    assert page.evaluate("states") == ["connecting", "live", "offline", "connecting", "live"]


def test_a_reconnect_that_missed_nothing_is_no_resync(page, live, server):
    live.connection.close(1012)
    server.socket(2).topic("snapshot", 5)
    wait_for_heard(page, 2)

    assert heard(page)[1] == (5, "snapshot", False)


def test_a_server_that_refuses_is_asked_again_until_it_accepts(page, live, server):
    server.refuses = True
    live.connection.close(1012)
    page.wait_for_function("states.filter((state) => state === 'offline').length >= 5")
    server.refuses = False

    server.socket(2).topic("snapshot", 6)
    wait_for_heard(page, 2)


def test_silence_is_answered_with_a_ping_and_a_dead_server_is_left(page, live, server):
    wait_until(lambda: live.asked("ping") >= 2)
    assert len(server.sockets) == 1

    server.answers_pings = False
    server.socket(2)
    wait_until(lambda: live.is_closed)


def test_a_server_without_its_source_is_shown_as_stale(page, live):
    live.send(type="status", live=False)
    wait_for_state(page, "stale")
    live.send(type="status", live=True)
    wait_for_state(page, "live")

    assert page.evaluate("states") == ["connecting", "live", "stale", "live"]


def test_the_end_of_the_session_is_told_and_not_answered_with_retries(page, live, server):
    live.connection.close(4401)
    wait_for_state(page, "login")
    time.sleep(1)
    assert len(server.sockets) == 1


def test_after_logging_in_elsewhere_a_tab_goes_on_when_it_is_shown(page, live, server):
    live.connection.close(4401)
    wait_for_state(page, "login")
    page.evaluate('() => document.dispatchEvent(new Event("visibilitychange"))')
    second = server.socket(2)
    second.send(type="status", live=True)
    wait_until(lambda: second.asked("subscribe", "t"))
    wait_for_state(page, "live")

    assert page.evaluate("states") == ["connecting", "live", "login", "connecting", "live"]


def test_too_many_connections_are_told_and_tried_again_without_haste(page, live, server):
    page.evaluate("""() => {
        window.moments = [];
        stream.addEventListener("state", ({ detail }) =>
            moments.push([detail.state, performance.now()]));
    }""")
    for number in range(1, 4):
        socket = server.socket(number)
        socket.connection.close(4430, "too many connections of one person: close other tabs")
    server.socket(4)

    told = page.evaluate("moments")
    assert [state for state, _ in told] == ["full", "connecting"] * 3
    waits_ms = [
        after - before for (_, before), (_, after) in zip(told[::2], told[1::2], strict=True)
    ]
    # A lost connection is made again within twice the first pause, jitter and all.
    assert min(waits_ms) >= OPTIONS["lastRetryMs"] / 2 > 2 * OPTIONS["firstRetryMs"]


def test_a_hidden_tab_lets_go_and_comes_back_when_it_is_shown(page, live, server):
    show = """(hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, arg=True)
    wait_for_state(page, "paused")
    wait_until(lambda: live.is_closed)
    page.evaluate(show, arg=False)

    server.socket(2).topic("snapshot", 8)
    wait_for_heard(page, 2)
    assert heard(page)[1] == (8, "snapshot", True)


def test_a_network_that_goes_and_comes_connects_at_once(page, live, server):
    # In one go: by itself it tries again within a second, and the state would be gone.
    between = page.evaluate("""() => {
        window.dispatchEvent(new Event("offline"));
        const state = stream.state;
        window.dispatchEvent(new Event("online"));
        return state;
    }""")
    assert between == "offline"
    server.socket(2)


def test_a_refused_topic_is_told_by_an_event(page, live):
    page.evaluate("""() => stream.addEventListener("refused", (event) => {
        window.refusal = event.detail;
    })""")
    live.send(type="error", topic="u", error="there is no topic 'u'")
    page.wait_for_function("window.refusal !== undefined")

    assert page.evaluate("refusal") == {
        "type": "error",
        "topic": "u",
        "error": "there is no topic 'u'",
    }
    assert page.evaluate("stream.state") == "live"


def test_a_handler_that_fails_does_not_stop_the_others(page, live):
    page.evaluate("""() => {
        window.failures = [];
        window.addEventListener("error", (event) => failures.push(event.error.message));
        stream.subscribe("t", () => { throw new Error("mine"); });
        follow("t");
    }""")
    wait_for_heard(page, 2)
    live.topic("update", 6)
    wait_for_heard(page, 4)

    assert [(seq, kind) for seq, kind, _ in heard(page)] == [
        *[(5, "snapshot")] * 2,
        *[(6, "update")] * 2,
    ]
    assert page.evaluate("failures") == ["mine", "mine"]


def test_closing_ends_the_connection_for_good(page, live, server):
    page.evaluate("stream.close()")
    wait_until(lambda: live.is_closed)
    time.sleep(0.7)

    assert page.evaluate("stream.state") == "idle"
    assert len(server.sockets) == 1

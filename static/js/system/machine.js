// Workers, queues, connections and statements.

import { age, whole } from "../format.js";
import { make, nothing, state, table, unread } from "./elements.js";
import { milliseconds } from "./tiles.js";

const NEAR = 0.8; // of all connections: whoever comes next may be refused

export function workerRows({ workers, queues }) {
  return [...workerTable(workers), ...queueTable(queues)];
}

function workerTable(workers) {
  if (workers?.error) return [unread(workers.error)];
  if (!Array.isArray(workers)) return [nothing("The workers are being asked…")];
  if (workers.length === 0) return [nothing("No worker answers: see whether they run, and their logs.")];
  const rows = workers.map((one) => [one.name, state("answers", "good"), whole(one.concurrency), whole(one.tasks), one.uptime_s === null ? "–" : age(one.uptime_s * 1000)]);
  return [table("Workers", [["Worker"], ["State"], ["Threads", true], ["Tasks done", true], ["Up for", true]], rows)];
}

function queueTable(queues) {
  if (queues.error) return [unread(queues.error)];
  return [table("Queues", [["Queue"], ["Waiting", true]], Object.entries(queues.depths).map(([name, depth]) => [name, whole(depth)]))];
}

export function connectionRows(database) {
  if (database.error) return [unread(database.error)];
  const total = database.connections.reduce((sum, { number }) => sum + number, 0);
  const most = database.max_connections;
  const isNear = total > most * NEAR;
  const meter = make(
    "p",
    { class: "meter" },
    make("progress", { max: most, value: total, "aria-label": "Connections in use" }),
    state(`${whole(total)} of ${whole(most)} in use`, isNear ? "bad" : "good"),
  );
  const rows = database.connections.map((one) => [one.process, whole(one.number), one.limit === null ? "–" : whole(one.limit), whole(one.active), whole(one.waiting)]);
  return [meter, table("Connections by process", [["Process"], ["Connections", true], ["At most, each", true], ["Active", true], ["In a transaction, idle", true]], rows)];
}

export function statementRows(database) {
  if (database.error) return [unread(database.error)];
  if (database.statements === null) {
    return [nothing("The server does not measure statements: it must be started with shared_preload_libraries = 'pg_stat_statements', then run ./dev manage migrate.")];
  }
  const columns = [["Statement", false, "statement"], ["Calls", true], ["Mean", true], ["Longest", true], ["Together", true]];
  const rows = database.statements.map((one) => [make("code", {}, one.query), whole(one.calls), `${one.mean_ms}\u202fms`, `${one.max_ms}\u202fms`, milliseconds(one.total_ms)]);
  return [table("Statements", columns, rows)];
}

// SPDX-License-Identifier: Apache-2.0
//
// people.mjs PETRELD PETRELCTL: two people on two daemons, one of which is also their relay. All
// that they do goes through json-rpc-2.0, a client library that knows nothing of Petrel, and
// petrelctl rpc. docs/protocol/09-control.md, 9.7.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient, createJSONRPCRequest }
  from "json-rpc-2.0";

const [petreld, petrelctl] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "petrel-rpc-"));
const started = [];
let checks = 0;

function same(what, there, wanted) {
  assert.deepEqual(there, wanted, what);
  checks++;
}

function run(program, args, stdio) {
  const child = spawn(program, args, { stdio, env: { ...process.env, XDG_RUNTIME_DIR: folder } });
  started.push(child);
  child.ended = once(child, "exit");
  return child;
}

class Person {
  constructor(name, ...options) {
    this.home = join(folder, name);
    this.events = [];
    this.waiting = [];
    this.daemon = run(petreld, ["--home", this.home, "--listen", "127.0.0.1:0", ...options],
      ["ignore", "ignore", "pipe"]);
    this.log = "";
    this.ready = new Promise((resolve, reject) => {
      this.daemon.stderr.on("data", (text) => {
        this.log += text;
        if (this.log.includes("ready version")) {
          resolve();
        }
      });
      this.daemon.on("exit", () => reject(new Error(`${name} ended:\n${this.log}`)));
    });
    this.ready.catch(() => {});
  }

  async connect() {
    await this.ready;
    this.ctl = run(petrelctl, ["--home", this.home, "rpc"], ["pipe", "pipe", "inherit"]);
    const server = new JSONRPCServer();
    server.addMethod("event", (event) => this.take(event));
    this.rpc = new JSONRPCServerAndClient(server, new JSONRPCClient((payload) => {
      this.ctl.stdin.write(JSON.stringify(payload) + "\n");
    }));
    createInterface({ input: this.ctl.stdout }).on("line", (line) => {
      this.rpc.receiveAndSend(JSON.parse(line));
    });
  }

  take(event) {
    this.events.push(event);
    this.waiting = this.waiting.filter(({ wanted, resolve }) => {
      const found = wanted(event);
      if (found) {
        resolve(event);
      }
      return !found;
    });
  }

  // The first event, of those that came and those to come, for which wanted holds.
  event(wanted) {
    const there = this.events.find(wanted);
    return there ?? new Promise((resolve) => this.waiting.push({ wanted, resolve }));
  }

  eventOf(type, data = {}) {
    return this.event((e) => e.type === type &&
      Object.entries(data).every(([key, value]) => e.data[key] === value));
  }

  ask(method, params) {
    return this.rpc.request(method, params);
  }

  async refused(method, params) {
    const error = await this.ask(method, params).then(() => assert.fail(method), (e) => e);
    return { code: error.code, ...error.data };
  }
}

async function people() {
  const alice = new Person("alice", "--relay");
  const bob = new Person("bob");
  for (const person of [alice, bob]) {
    await person.connect();
    same("hello", (await person.ask("hello", { api: 1 })).api, 1);
    same("no account", await person.refused("account.show"),
      { code: 301, name: "no-account", class: "state" });
    const made = await person.ask("account.create");
    person.id = made.id;
    same("words", made.words.split(" ").length, 24);
    await person.ask("event.subscribe", { since: 0 });
  }

  const address = (await alice.ask("daemon.status")).node;
  for (const person of [alice, bob]) {
    const { code } = await alice.ask("relay.invite");
    await person.ask("relay.use", { address, code });
    await person.eventOf("relay.ready");
  }

  const { link } = await alice.ask("invite.create");
  await bob.ask("contact.add", { link, name: "alice" });
  await alice.eventOf("contact.accepted");
  await bob.eventOf("contact.accepted");

  const message = await bob.ask("message.send", { contact: "alice", text: "from a peer \u{1f426}" });
  const event = await alice.eventOf("message.received");
  same("text", event.data.text, "from a peer \u{1f426}");
  same("who", event.data.contact, bob.id);
  await bob.eventOf("message.delivered", { message: message.message });

  // A batch, as the library makes one: a notification in it has no answer.
  const answers = await alice.rpc.client.requestAdvanced([
    createJSONRPCRequest(1, "message.send", { contact: bob.id, text: "one" }),
    createJSONRPCRequest(2, "message.sing", { contact: bob.id }),
    createJSONRPCRequest(3, "message.send", { contact: bob.id }),
  ]);
  answers.sort((a, b) => a.id - b.id);
  same("batch", answers.map((a) => [a.id, a.error?.code, a.error?.data?.name]),
    [[1, undefined, undefined], [2, -32601, "unknown-method"], [3, -32602, "missing-parameter"]]);
  alice.rpc.notify("message.send", { contact: bob.id, text: "two" });
  await bob.eventOf("message.received", { text: "one" });
  await bob.eventOf("message.received", { text: "two" });
  const { messages } = await bob.ask("message.history", { contact: "alice", limit: 10 });
  same("history", messages.map((m) => [m.mine, m.text]),
    [[true, "from a peer \u{1f426}"], [false, "one"], [false, "two"]]);

  for (const person of [alice, bob]) {
    await person.ask("daemon.stop");
    same("daemon", (await person.daemon.ended)[0], 0);
    person.ctl.stdin.end();
    same("petrelctl", (await person.ctl.ended)[0], 0);
  }
}

const limit = setTimeout(() => {
  console.error("not within 100 s");
  started.forEach((child) => child.kill("SIGKILL"));
  process.exit(1);
}, 100000);
try {
  await people();
  console.log(`peers.rpc: ${checks} checks`);
} finally {
  clearTimeout(limit);
  started.forEach((child) => child.kill("SIGKILL"));
  await Promise.all(started.map((child) => child.ended));
  rmSync(folder, { recursive: true });
}

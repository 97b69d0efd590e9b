// SPDX-License-Identifier: Apache-2.0
// exchange.mjs CLI VECTORS [--write]: talks with the C program in both roles, and checks the
// vectors that are checked in (or writes them).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Handshake, Records, pack, unpack, withLength } from './noise.mjs';
import * as vectors from './vectors.mjs';

const [cli, folder, mode] = process.argv.slice(2);
const ROUNDS = 3;
const REKEY_EVERY = 5;
const random = (n) => new Uint8Array(randomBytes(n));

// The C program, with messages (length u16 | bytes) over its stdin and stdout.
class Program {
  constructor(...args) {
    this.child = spawn(cli, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => this.child.on('close', (code) => resolve(code)));
    this.source = this.child.stdout[Symbol.asyncIterator]();
    this.kept = Buffer.alloc(0);
  }
  write(bytes) {
    this.child.stdin.write(bytes);
  }
  async take(n) {
    while (this.kept.length < n) {
      const { value, done } = await this.source.next();
      if (done) throw new Error('the program ended');
      this.kept = Buffer.concat([this.kept, value]);
    }
    const out = new Uint8Array(this.kept.subarray(0, n));
    this.kept = this.kept.subarray(n);
    return out;
  }
  async read() {
    const [high, low] = await this.take(2);
    return this.take((high << 8) | low);
  }
  async finish() {
    this.child.stdin.end();
    assert.equal(await this.ended, 0, 'exit code of the program');
    assert.equal(this.kept.length, 0, 'no bytes are left over');
  }
}

function keys() {
  const seed = random(32);
  const nodeId = ed25519.getPublicKey(seed);
  return {
    seed,
    nodeId,
    resp: ed25519.utils.toMontgomerySecret(seed),
    respPk: ed25519.utils.toMontgomery(nodeId),
    init: random(32),
  };
}

// The handshake against the program; ours is the other role.
async function shake(program, k, initiator) {
  const hs = new Handshake({
    initiator,
    s: initiator ? k.init : k.resp,
    rs: initiator ? k.respPk : undefined,
    ephemeral: { dh: random(32), kem: random(initiator ? 64 : 32) },
  });
  const sizes = [];
  const send = (m) => (sizes.push(m.length), program.write(withLength(m)));
  const receive = async () => {
    const m = await program.read();
    sizes.push(m.length);
    return m;
  };
  if (initiator) {
    send(hs.write1());
    hs.read2(await receive());
    send(hs.write3());
  } else {
    hs.read1(await receive());
    send(hs.write2());
    hs.read3(await receive());
    assert.deepEqual(hs.rs, x25519.getPublicKey(k.init), 'static of the initiator');
  }
  assert.deepEqual(sizes, [1248, 1152, 64]);
  return hs;
}

// Handshake, then records that come back reversed, across several rekeys each way.
async function raw(initiator) {
  const k = keys();
  const role = initiator ? 'responder' : 'initiator';
  const program = new Program('raw', role, bytesToHex(k.seed), bytesToHex(k.init), `${REKEY_EVERY}`);
  const hs = await shake(program, k, initiator);
  const { send, receive } = hs.split();
  const out = new Records(send, REKEY_EVERY);
  const back = new Records(receive, REKEY_EVERY);
  assert.deepEqual(back.open(await program.read()), hs.h, 'handshake hash');
  let records = 0;
  for (const size of [1, 0, 253, 254, 255, 256, 510, 511, 1024, 4096, 61440, 65277, 65278, 7, 8, 9]) {
    const frame = random(size);
    program.write(out.seal(frame));
    assert.deepEqual(back.open(await program.read()), frame.reverse());
    records++;
  }
  await program.finish();
  return records;
}

// The whole link: hello both ways, ping, frames echoed, bye.
async function link(initiator) {
  const k = keys();
  const role = initiator ? 'responder' : 'initiator';
  const program = new Program('link', role, bytesToHex(k.seed), bytesToHex(k.init), '65536');
  const hs = await shake(program, k, initiator);
  const { send, receive } = hs.split();
  const out = new Records(send, 65536);
  const back = new Records(receive, 65536);
  const say = (...frame) => program.write(out.seal(pack(frame)));
  const hear = async () => {
    const [frame, rest] = unpack(back.open(await program.read()));
    assert.equal(rest.length, 0);
    return frame;
  };
  say(0, 0, new Map([[0, 2], [1, 1], [2, 'second'], [3, 0], [9, 'later']]));
  const [kind, id, hello] = await hear();
  assert.deepEqual([kind, id, hello.get(0), hello.get(1), hello.get(3)], [0, 0, 1, 1, 0]);
  assert.match(hello.get(2), /^petrel \d/);
  say(1, 0, null);
  assert.deepEqual(await hear(), [2, 0, null]);
  for (const size of [0, 1, 300, 2000, 60000]) {
    const request = [19, 70000 + size, new Map([[0, random(size)]])];
    say(...request);
    assert.deepEqual(await hear(), request);
  }
  say(4, 0, 0);
  await program.finish();
  return 5;
}

// A node that speaks only version 2 is told so.
async function refused(initiator) {
  const k = keys();
  const role = initiator ? 'responder' : 'initiator';
  const program = new Program('link', role, bytesToHex(k.seed), bytesToHex(k.init), '65536');
  const hs = await shake(program, k, initiator);
  const { send, receive } = hs.split();
  const back = new Records(receive, 65536);
  const hello = [0, 0, new Map([[0, 2], [1, 2], [2, 'second'], [3, 0]])];
  program.write(new Records(send, 65536).seal(pack(hello)));
  back.open(await program.read());
  assert.deepEqual(unpack(back.open(await program.read()))[0], [4, 0, 105]);
  await program.finish();
}

let records = 0;
let handshakes = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (const initiator of [true, false]) {
    records += await raw(initiator);
    records += await link(initiator);
    await refused(initiator);
    handshakes += 3;
  }
}
console.log(`${handshakes} handshakes, ${records} records echoed, rekey every ${REKEY_EVERY}`);
if (mode === '--write') vectors.write(folder);
console.log(`${vectors.check(folder)} vectors checked`);

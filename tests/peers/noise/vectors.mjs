// SPDX-License-Identifier: Apache-2.0
// noise-xkhfs.json and frames.json: made here, replayed here and by tests/unit/link/test_vectors.c.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { PROLOGUE, PROTOCOL, Handshake, Records, pack, unpack } from './noise.mjs';

const hex = bytesToHex;
const run = (first, n) => Uint8Array.from({ length: n }, (_, i) => (first + i) & 0xff);

// All inputs of a case to all of its outputs.
function replay(c) {
  const id = ed25519.getPublicKey(hexToBytes(c.resp_node_seed));
  const resp = ed25519.utils.toMontgomerySecret(hexToBytes(c.resp_node_seed));
  const pk = ed25519.utils.toMontgomery(id);
  const ephemeral = (role) => ({
    dh: hexToBytes(c[`${role}_ephemeral`]),
    kem: hexToBytes(c[`${role}_kem_seed`]),
  });
  const a = new Handshake({
    initiator: true, s: hexToBytes(c.init_static), rs: pk, ephemeral: ephemeral('init'),
  });
  const b = new Handshake({ initiator: false, s: resp, ephemeral: ephemeral('resp') });
  const messages = [a.write1()];
  b.read1(messages[0]);
  messages.push(b.write2());
  a.read2(messages[1]);
  messages.push(a.write3());
  b.read3(messages[2]);
  assert.deepEqual(a.h, b.h);
  assert.deepEqual(b.rs, x25519.getPublicKey(a.s));
  const [sa, sb] = [a.split(), b.split()];
  const lanes = {
    initiator: [new Records(sa.send, c.rekey_every), new Records(sb.receive, c.rekey_every)],
    responder: [new Records(sb.send, c.rekey_every), new Records(sa.receive, c.rekey_every)],
  };
  const records = c.records.map(({ from, frame }) => {
    const record = lanes[from][0].seal(hexToBytes(frame));
    assert.equal(hex(lanes[from][1].open(record.slice(2))), frame);
    return { from, frame, record: hex(record) };
  });
  return {
    ...c,
    resp_node_id: hex(id),
    resp_static_public: hex(pk),
    init_static_public: hex(x25519.getPublicKey(a.s)),
    messages: messages.map(hex),
    handshake_hash: hex(a.h),
    records,
  };
}

function inputs(name, first, rekeyEvery, frames) {
  return {
    name,
    protocol_name: PROTOCOL,
    prologue: hex(PROLOGUE),
    init_static: hex(run(first, 32)),
    init_ephemeral: hex(run(first + 32, 32)),
    init_kem_seed: hex(run(first + 64, 64)),
    resp_node_seed: hex(run(first + 128, 32)),
    resp_ephemeral: hex(run(first + 160, 32)),
    resp_kem_seed: hex(run(first + 192, 32)),
    rekey_every: rekeyEvery,
    records: frames,
  };
}

function handshakes() {
  const ping = hex(pack([1, 0, null]));
  const hello = hex(pack([0, 0, new Map([[0, 1], [1, 1], [2, 'vector'], [3, 0]])]));
  const ways = (...frames) =>
    frames.flatMap((frame) => [{ from: 'initiator', frame }, { from: 'responder', frame }]);
  const deposit = hex(pack([19, 7, new Map([[0, run(0, 600)]])]));
  return [
    inputs('hello, ping and a longer frame', 0, 65536, ways(hello, ping, deposit)),
    inputs('rekey after every third record', 17, 3, ways(hello, ping, ping, ping, ping, ping, ping, ping)),
  ].map(replay);
}

function frames() {
  const hello = (...pairs) => hex(pack(new Map(pairs)));
  const good = [
    [0, 0, new Map([[0, 1], [1, 1], [2, 'petrel'], [3, 0]])],
    [1, 0, null],
    [2, 0, null],
    [3, 0, 64],
    [4, 0, 105],
    [19, 1, new Map([[0, run(1, 32)], [1, run(0, 300)]])],
    [20, 0, new Map([[0, 300]])],
    [147, 70000, new Map([[0, 0]])],
    [255, 4294967295, new Map()],
  ];
  const bad = [
    ['', 'nothing at all'],
    ['920100', 'two elements'],
    ['94010000c0', 'four elements'],
    ['8201000200', 'a map'],
    ['930100', 'no body'],
    ['930100c0c0', 'a trailing byte'],
    ['93cd010000c0', 'kind above 255'],
    ['93cc0100c0', 'kind not in its shortest form'],
    ['93ff00c0', 'a negative kind'],
    ['9301cf0000000100000000c0', 'id above 32 bits'],
    ['930100ca00000000', 'a float'],
    ['930100d40100', 'an extension'],
    ['930100c1', 'a byte that msgpack does not use'],
    ['930100c405aa', 'a body that ends early'],
    ['930100dd10000000', 'an array that claims more than there is'],
    ['930100919191919191c0', 'a body nested six deep'],
  ];
  return {
    about: 'docs/protocol/03-link.md, section 5: frames that are accepted and refused, hellos likewise',
    accepted: good.map((f) => ({ frame: hex(pack(f)), kind: f[0], id: f[1], body: hex(pack(f[2])) })),
    refused: bad.map(([frame, why]) => ({ frame, why })),
    hellos: [
      { body: hello([0, 1], [1, 1], [2, 'petrel'], [3, 0]), version: 1, min: 1, features: 0, agreed: 1 },
      { body: hello([0, 2], [1, 1], [2, ''], [3, 5], [7, null]), version: 2, min: 1, features: 5, agreed: 1 },
      { body: hello([0, 3], [1, 2], [2, 'x'], [3, 4294967295]), version: 3, min: 2, features: 4294967295, agreed: 0 },
    ],
    hellos_refused: [
      { body: hello([0, 1], [1, 1], [2, 'x']), why: 'features are missing' },
      { body: hello([0, 1], [1, 2], [2, 'x'], [3, 0]), why: 'min above version' },
      { body: hello([0, 1], [1, 0], [2, 'x'], [3, 0]), why: 'min is zero' },
      { body: hello([1, 1], [0, 1], [2, 'x'], [3, 0]), why: 'keys that do not ascend' },
      { body: '8500010001010102a1780300', why: 'the same key twice' },
    ],
  };
}

const files = { 'noise-xkhfs.json': () => ({
  about: 'docs/protocol/03-link.md, sections 3 and 4: fixed keys and ephemerals, all bytes on the wire',
  cases: handshakes(),
}), 'frames.json': frames };

export function write(folder) {
  for (const [name, make] of Object.entries(files)) {
    writeFileSync(join(folder, name), `${JSON.stringify(make(), null, 1)}\n`);
  }
}

// Number of vectors in the files, all of which agree with this implementation.
export function check(folder) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { cases } = read('noise-xkhfs.json');
  assert.ok(cases.length > 0);
  cases.forEach((c) => assert.deepEqual(replay(c), c));
  const { accepted, hellos } = read('frames.json');
  assert.ok(accepted.length > 0 && hellos.length > 0);
  for (const { frame, kind, id, body } of accepted) {
    const [[k, i], rest] = unpack(hexToBytes(frame));
    assert.deepEqual([k, i, rest.length, frame.endsWith(body)], [kind, id, 0, true]);
  }
  for (const { body, version, min, features } of hellos) {
    const [map] = unpack(hexToBytes(body));
    assert.deepEqual([map.get(0), map.get(1), map.get(3)], [version, min, features]);
  }
  return cases.length + accepted.length + hellos.length;
}

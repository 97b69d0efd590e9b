// SPDX-License-Identifier: Apache-2.0
// check.mjs SESSION_JSON: plays the conversations of the vectors with session.mjs on both sides;
// every envelope must come out byte for byte, and open.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { x25519 } from '@noble/curves/ed25519.js';
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js';

import { Session, inviteId } from './session.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const raw = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
const tape = (text) => {
  const bytes = raw(text);
  let at = 0;
  const draw = (n) => {
    assert(at + n <= bytes.length, 'randomness is used up');
    return bytes.slice(at, (at += n));
  };
  draw.done = () => assert.equal(at, bytes.length, 'randomness is left over');
  return draw;
};

const party = (p) => ({ id: raw(p.id), certificate: raw(p.certificate), deviceList: raw(p.device_list),
  dhSecret: raw(p.dh_secret), dh: x25519.getPublicKey(raw(p.dh_secret)), spk: raw(p.spk_secret),
  otk: raw(p.otk_secret), spkKem: kem.keygen(raw(p.spk_kem_seed)), otkKem: kem.keygen(raw(p.otk_kem_seed)),
  spkId: p.spk_id, otkId: p.otk_id });

let checks = 0;
const same = (got, want, what) => {
  assert.equal(hex(got), want, what);
  checks++;
};

function play(a, b, c) {
  const invite = c.invite ? raw(c.invite) : undefined;
  const bundle = { spkId: b.spkId, spk: x25519.getPublicKey(b.spk), otkId: c.one_time ? b.otkId : 0,
    otk: c.one_time ? x25519.getPublicKey(b.otk) : undefined,
    kemEk: (c.one_time ? b.otkKem : b.spkKem).publicKey };
  const draw = tape(c.initiate_random);
  const [first, p, keys] = Session.begin(a, b, bundle, invite, draw);
  draw.done();
  for (const name of ['dh1', 'dh2', 'dh3', 'dh4', 'ss']) same(p[name], c[name], name);
  same(keys.t, c.t, 't');
  same(keys.sk, c.sk, 'sk');
  const sides = { a: first };
  const late = [];
  for (const m of c.messages) {
    const random = tape(m.random);
    const envelope = sides[m.by].seal(Uint8Array.from(Buffer.from(m.content)), random);
    random.done();
    same(envelope, m.envelope, `envelope of "${m.content}"`);
    if (!sides.b) {
      const prekeys = { spk: b.spk, otk: c.one_time ? b.otk : undefined,
        kem: c.one_time ? b.otkKem : b.spkKem };
      const [s, intro] = Session.accept(b, a, prekeys, invite, envelope, tape(c.accept_random));
      sides.b = s;
      same(s.t, c.t, 't of the responder');
      same(intro.get(0), hex(a.id), 'id in the introduction');
      same(intro.get(1), hex(a.deviceList), 'device list in the introduction');
      if (invite) same(intro.get(3), hex(inviteId(invite)), 'invite id');
    }
    const open = () => {
      const random = tape(m.open_random);
      const body = sides[m.by === 'a' ? 'b' : 'a'].open(envelope, random);
      random.done();
      same(body.get(3) ?? [], hex(Buffer.from(m.content)), 'content');
    };
    if (m.late) late.push(open);
    else open();
  }
  late.forEach((open) => open());
  for (const side of [sides.a, sides.b]) same([side.kem.epoch], '01', 'KEM epoch');
}

const vectors = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const c of vectors.cases) play(party(vectors.a), party(vectors.b), c);
assert(checks > 50, 'too few checks');
console.log(`session.json: ${vectors.cases.length} conversations, ${checks} values equal`);

// SPDX-License-Identifier: Apache-2.0
// Sessions, written from docs/protocol/05-session.md alone. No limits, no storage: what is needed
// to make and open the envelopes of the vectors.
import { createHash, createHmac } from 'node:crypto';

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js';

export const cat = (...parts) => Uint8Array.from(Buffer.concat(parts.map((p) => Buffer.from(p))));
export const text = (s) => Uint8Array.from(Buffer.from(s, 'utf8'));
const number = (v, size) => {
  const out = new Uint8Array(size);
  for (let i = size; i-- > 0; v = Math.floor(v / 256)) out[i] = v % 256;
  return out;
};
const hmac = (key, data) => Uint8Array.from(createHmac('sha256', key).update(Buffer.from(data)).digest());
const extract = (salt, ikm) => hmac(salt, ikm);
function expand(prk, info, length) {
  let out = new Uint8Array(0);
  let block = new Uint8Array(0);
  for (let i = 1; out.length < length; i++) {
    block = hmac(prk, cat(block, info, [i]));
    out = cat(out, block);
  }
  return out.slice(0, length);
}
const cut = (bytes, ...sizes) => {
  let at = 0;
  return sizes.map((size) => bytes.slice(at, (at += size)));
};
const zeros = new Uint8Array(32);
const dh = (secret, pub) => x25519.getSharedSecret(secret, pub);
const hash16 = (label, data) => blake2b(cat(text(label), data), { dkLen: 16 });

// --- msgpack, as far as it is used ---
export const pack = {
  uint: (v) => (v < 128 ? number(v, 1) : v < 256 ? cat([0xcc], number(v, 1))
    : v < 65536 ? cat([0xcd], number(v, 2)) : v < 2 ** 32 ? cat([0xce], number(v, 4))
      : cat([0xcf], number(v, 8))),
  bin: (b) => (b.length < 256 ? cat([0xc4], number(b.length, 1), b)
    : cat([0xc5], number(b.length, 2), b)),
  array: (...items) => cat([0x90 + items.length], ...items),
  map: (fields) => cat([0x80 + fields.length], ...fields.flatMap(([k, v]) => [pack.uint(k), v])),
};
function unpack(bytes) {
  let at = 0;
  const be = (size) => { let v = 0; for (let i = 0; i < size; i++) v = v * 256 + bytes[at++]; return v; };
  const value = () => {
    const b = bytes[at++];
    if (b < 0x80) return b;
    if (b >= 0xcc && b <= 0xcf) return be(1 << (b - 0xcc));
    if (b === 0xc4 || b === 0xc5) { const n = be(b - 0xc3); return bytes.slice(at, (at += n)); }
    if (b >= 0x90 && b <= 0x9f) return Array.from({ length: b - 0x90 }, value);
    if (b >= 0x80 && b <= 0x8f) {
      return new Map(Array.from({ length: b - 0x80 }, () => [value(), value()]));
    }
    throw new Error(`byte ${b} in a map`);
  };
  const out = value();
  if (at !== bytes.length) throw new Error('bytes left over');
  return out;
}

// --- section 3 ---
export const inviteId = (s) => hash16('petrel/1 invite id', s);
export function agreement(p) {
  const L = (x) => cat(number(x.length, 2), x);
  const t = Uint8Array.from(createHash('sha256').update(cat(text('petrel/1 pqxdh'), L(p.idA), L(p.idB),
    L(p.certA), L(p.certB), L(p.spk), L(p.otk ?? []), L(p.kemEk), L(p.ek), L(p.ct),
    L(p.invite ? inviteId(p.invite) : []))).digest());
  const ikm = cat(new Uint8Array(32).fill(0xff), p.dh1, p.dh2, p.dh3, p.dh4, p.ss, p.invite ?? zeros);
  const sk = expand(extract(new Uint8Array(0), ikm), cat(text('petrel/1 pqxdh sk'), t), 32);
  const intro = expand(extract(new Uint8Array(0), cat(p.dh2, p.dh3, p.dh4, p.ss)),
    text('petrel/1 pqxdh introduction'), 56);
  return { t, sk, introKey: intro.slice(0, 32), introNonce: intro.slice(32) };
}

export class Session {
  constructor(t, sk, bootId) {
    [this.root, this.headA, this.headB] = cut(expand(sk, text('petrel/1 ratchet start'), 96), 32, 32, 32);
    Object.assign(this, { t, bootId, pn: 0, sn: 0, rn: 0, seq: 0, lastHash: new Uint8Array(16),
      have: new Map(), skipped: [], established: false,
      kem: { epoch: 0, state: 'idle', told: false } });
  }

  // p: own and other's keys; draw(n) gives the next n random bytes
  static begin(self, peer, bundle, invite, draw) {
    const secret = draw(32);
    const ek = x25519.getPublicKey(secret);
    const { cipherText: ct, sharedSecret: ss } = kem.encapsulate(bundle.kemEk, draw(32));
    const p = { idA: self.id, idB: peer.id, certA: self.certificate, certB: peer.certificate,
      ...bundle, ek, ct, ss, invite, dh1: dh(self.dhSecret, bundle.spk), dh2: dh(secret, peer.dh),
      dh3: dh(secret, bundle.spk), dh4: bundle.otk ? dh(secret, bundle.otk) : zeros };
    const a = agreement(p);
    const s = new Session(a.t, a.sk, draw(8));
    const fields = [[0, pack.bin(self.id)], [1, pack.bin(self.deviceList)], [2, pack.uint(0)]];
    if (invite) fields.push([3, pack.bin(inviteId(invite))]);
    const map = pack.map(fields);
    const before = cat([2], number(bundle.spkId, 4), number(bundle.otkId, 4), ek, ct,
      number(map.length + 16, 2));
    s.first = cat(before, xchacha20poly1305(a.introKey, a.introNonce, before).encrypt(map));
    Object.assign(s, { other: bundle.spk, nextSend: s.headA, nextRecv: s.headB, stepDue: true });
    return [s, p, a];
  }

  static accept(self, peer, prekeys, invite, envelope, draw) {
    const [, , , ek, ct, length] = cut(envelope, 1, 4, 4, 32, 1088, 2);
    const n = length[0] * 256 + length[1];
    const p = { idA: peer.id, idB: self.id, certA: peer.certificate, certB: self.certificate,
      spk: x25519.getPublicKey(prekeys.spk), otk: prekeys.otk && x25519.getPublicKey(prekeys.otk),
      kemEk: prekeys.kem.publicKey, ek, ct, invite, ss: kem.decapsulate(ct, prekeys.kem.secretKey),
      dh1: dh(prekeys.spk, peer.dh), dh2: dh(self.dhSecret, ek), dh3: dh(prekeys.spk, ek),
      dh4: prekeys.otk ? dh(prekeys.otk, ek) : zeros };
    const a = agreement(p);
    const intro = unpack(xchacha20poly1305(a.introKey, a.introNonce, envelope.slice(0, 1131))
      .decrypt(envelope.slice(1131, 1131 + n)));
    const s = new Session(a.t, a.sk, draw(8));
    Object.assign(s, { own: prekeys.spk, nextSend: s.headB, nextRecv: s.headA, stepDue: false,
      responder: true });
    return [s, intro];
  }

  rootStep(secret) {
    const input = cat(dh(this.own, this.other), secret ?? []);
    return cut(expand(extract(this.root, input),
      text(secret ? 'petrel/1 ratchet root kem' : 'petrel/1 ratchet root'), 96), 32, 32, 32);
  }

  // Section 10, without a schedule: the responder offers once.
  kemFields(step, draw) {
    const { kem: k } = this;
    if (this.first) return [];
    if (k.state === 'idle' && this.responder && k.epoch === 0) {
      Object.assign(k, { state: 'offered', keys: kem.keygen(draw(64)), told: false });
    }
    if (step) k.told = false;
    const part = { offered: [7, k.keys?.publicKey], answered: [8, k.ct] }[k.state];
    if (!part || k.told) return [];
    k.told = true;
    return [[part[0], pack.array(pack.uint(k.epoch + 1), pack.bin(part[1]))]];
  }

  kemStepped() {
    this.kem = { epoch: this.kem.epoch + 1, state: 'idle', told: false };
  }

  kemTake(body, draw) {
    const { kem: k } = this;
    const [offer, answer] = [body.get(7), body.get(8)];
    if (answer && answer[0] === k.epoch + 1 && k.state === 'offered') {
      Object.assign(k, { state: 'ready', ss: kem.decapsulate(answer[1], k.keys.secretKey) });
    }
    if (offer && offer[0] === k.epoch + 1 && k.state === 'idle') {
      const { cipherText, sharedSecret } = kem.encapsulate(offer[1], draw(32));
      Object.assign(k, { state: 'answered', ct: cipherText, ss: sharedSecret, told: false });
    }
  }

  chainStep(name) {
    const message = hmac(this[name], [1]);
    this[name] = hmac(this[name], [2]);
    return message;
  }

  ack() {
    let cum = 0;
    while (this.have.has(cum + 1)) cum++;
    const above = [...this.have.keys()].filter((v) => v > cum);
    const bits = new Uint8Array(above.length ? Math.floor((Math.max(...above) - cum - 1) / 8) + 1 : 0);
    for (const v of above) bits[(v - cum - 1) >> 3] |= 1 << ((v - cum - 1) & 7);
    return pack.array(pack.bin(this.otherBoot), pack.uint(cum), pack.bin(bits));
  }

  seal(content, draw) {
    const kemFields = this.kemFields(this.stepDue, draw);
    if (this.stepDue) {
      this.own = draw(32);
      this.pn = this.sn;
      this.sn = 0;
      this.sendHead = this.nextSend;
      const ready = this.kem.state === 'ready';
      [this.root, this.send, this.nextSend] = this.rootStep(ready ? this.kem.ss : undefined);
      if (ready) this.kemStepped();
      this.stepDue = false;
    }
    const nonce = draw(24);
    const fields = [[0, pack.bin(this.bootId)]];
    if (content.length) {
      fields.push([1, pack.uint(++this.seq)], [2, pack.bin(this.lastHash)], [3, pack.bin(content)]);
      this.lastHash = hash16('petrel/1 content hash', content);
    }
    if (this.have.size) fields.push([4, this.ack()]);
    fields.push(...kemFields);
    if (this.have.size) fields.push([10, pack.bin(this.have.get(Math.max(...this.have.keys())))]);
    const map = pack.map(fields);
    const prefix = this.first ?? Uint8Array.of(1);
    const sizes = this.first ? [4096, 16384, 61440] : [1024, 4096, 16384, 61440];
    const size = sizes.find((v) => v >= prefix.length + 24 + 61 + 16 + 2 + map.length);
    const header = cat(x25519.getPublicKey(this.own), number(this.pn, 4), number(this.sn++, 4),
      number(this.kem.epoch, 4), [0]);
    const head = cat(prefix, nonce, xchacha20poly1305(this.sendHead, nonce, this.t).encrypt(header));
    const plain = new Uint8Array(size - head.length - 16);
    plain.set(cat(number(map.length, 2), map));
    const keys = expand(this.chainStep('send'), cat(text('petrel/1 ratchet message'), nonce), 56);
    return cat(head, xchacha20poly1305(keys.slice(0, 32), keys.slice(32), cat(this.t, head)).encrypt(plain));
  }

  skipTo(n) {
    while (this.rn < n) this.skipped.push([this.recvHead, this.rn++, this.chainStep('recv')]);
  }

  // The message key that the sealed header leads to.
  messageKey(nonce, sealed) {
    const tryKey = (key) => {
      try { return key && xchacha20poly1305(key, nonce, this.t).decrypt(sealed); } catch { return null; }
    };
    for (const [i, [head, n, key]] of this.skipped.entries()) {
      const header = tryKey(head);
      if (header && Buffer.from(header).readUInt32BE(36) === n) {
        this.skipped.splice(i, 1);
        return key;
      }
    }
    let header = tryKey(this.recvHead);
    if (!header) {
      header = tryKey(this.nextRecv);
      if (!header) throw new Error('decrypt-failed');
      if (this.recvHead) this.skipTo(Buffer.from(header).readUInt32BE(32));
      this.other = header.slice(0, 32);
      this.recvHead = this.nextRecv;
      this.rn = 0;
      const named = Buffer.from(header).readUInt32BE(40) === this.kem.epoch + 1;
      [this.root, this.recv, this.nextRecv] = this.rootStep(named ? this.kem.ss : undefined);
      if (named) this.kemStepped();
      this.stepDue = true;
    }
    this.skipTo(Buffer.from(header).readUInt32BE(36));
    this.rn++;
    return this.chainStep('recv');
  }

  open(envelope, draw) {
    const at = envelope[0] === 2 ? 1131 + envelope[1129] * 256 + envelope[1130] : 1;
    const [head, nonce, sealed] = cut(envelope, at, 24, 61);
    const keys = expand(this.messageKey(nonce, sealed), cat(text('petrel/1 ratchet message'), nonce), 56);
    const ad = cat(this.t, head, nonce, sealed);
    const plain = xchacha20poly1305(keys.slice(0, 32), keys.slice(32), ad).decrypt(envelope.slice(at + 85));
    const n = plain[0] * 256 + plain[1];
    if (plain.slice(2 + n).some((b) => b !== 0)) throw new Error('padding');
    const body = unpack(plain.slice(2, 2 + n));
    this.otherBoot = body.get(0);
    if (body.has(1)) this.have.set(body.get(1), hash16('petrel/1 content hash', body.get(3)));
    this.kemTake(body, draw);
    this.first = undefined;
    return body;
  }
}

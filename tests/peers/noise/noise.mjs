// SPDX-License-Identifier: Apache-2.0
// A second implementation of docs/protocol/03-link.md, sections 3 to 5, written from the text alone:
// Noise_XKhfs, the record layer and frames.
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

export const PROTOCOL = 'Noise_XKhfs_25519+MLKEM768_ChaChaPoly_BLAKE2b';
export const PROLOGUE = utf8ToBytes('petrel/1 link');
const NOTHING = new Uint8Array(0);
const KEM_PK = 1184;
const KEM_CT = 1088;

const hash = (...parts) => blake2b(concatBytes(...parts), { dkLen: 64 });
const mac = (key, ...parts) => hmac(blake2b, key, concatBytes(...parts));

function hkdf(ck, ikm) {
  const temp = mac(ck, ikm);
  const first = mac(temp, Uint8Array.of(1));
  return [first, mac(temp, first, Uint8Array.of(2))];
}

function nonce(n) {
  const out = new Uint8Array(12);
  new DataView(out.buffer).setBigUint64(4, n, true);
  return out;
}

export class Cipher {
  constructor(key) {
    this.key = key.slice(0, 32);
    this.n = 0n;
  }
  encrypt(ad, plain) {
    return chacha20poly1305(this.key, nonce(this.n++), ad).encrypt(plain);
  }
  decrypt(ad, sealed) {
    return chacha20poly1305(this.key, nonce(this.n++), ad).decrypt(sealed);
  }
  rekey() {
    const last = nonce(0xffffffffffffffffn);
    this.key = chacha20poly1305(this.key, last).encrypt(new Uint8Array(32)).slice(0, 32);
  }
}

export class Handshake {
  // ephemeral: {dh: 32 bytes, kem: 64 bytes (initiator) or 32 bytes (responder)}
  constructor({ initiator, s, rs, ephemeral, prologue = PROLOGUE }) {
    const name = utf8ToBytes(PROTOCOL);
    this.h = new Uint8Array(64);
    this.h.set(name);
    this.ck = this.h;
    this.cipher = null;
    Object.assign(this, { initiator, s, rs, ephemeral });
    this.mixHash(prologue);
    this.mixHash(initiator ? rs : x25519.getPublicKey(s));
  }
  mixHash(data) {
    this.h = hash(this.h, data);
  }
  mixKey(ikm) {
    const [ck, key] = hkdf(this.ck, ikm);
    this.ck = ck;
    this.cipher = new Cipher(key);
  }
  mixDh(secret, point) {
    this.mixKey(x25519.getSharedSecret(secret, point)); // throws on zeros
  }
  seal(plain) {
    const out = this.cipher.encrypt(this.h, plain);
    this.mixHash(out);
    return out;
  }
  open(sealed) {
    const out = this.cipher.decrypt(this.h, sealed);
    this.mixHash(sealed);
    return out;
  }
  sendE() {
    const e = x25519.getPublicKey(this.ephemeral.dh);
    this.mixHash(e);
    return e;
  }
  takeE(message) {
    this.re = message.slice(0, 32);
    this.mixHash(this.re);
  }
  write1() {
    const e = this.sendE();
    this.mixDh(this.ephemeral.dh, this.rs);
    this.kem = ml_kem768.keygen(this.ephemeral.kem);
    return concatBytes(e, this.seal(this.kem.publicKey), this.seal(NOTHING));
  }
  read1(message) {
    this.takeE(message);
    this.mixDh(this.s, this.re);
    this.kemPk = this.open(message.slice(32, 32 + KEM_PK + 16));
    this.open(message.slice(32 + KEM_PK + 16));
  }
  write2() {
    const e = this.sendE();
    this.mixDh(this.ephemeral.dh, this.re);
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(this.kemPk, this.ephemeral.kem);
    const sealed = this.seal(cipherText);
    this.mixKey(sharedSecret);
    return concatBytes(e, sealed, this.seal(NOTHING));
  }
  read2(message) {
    this.takeE(message);
    this.mixDh(this.ephemeral.dh, this.re);
    const ct = this.open(message.slice(32, 32 + KEM_CT + 16));
    this.mixKey(ml_kem768.decapsulate(ct, this.kem.secretKey));
    this.open(message.slice(32 + KEM_CT + 16));
  }
  write3() {
    const sealed = this.seal(x25519.getPublicKey(this.s));
    this.mixDh(this.s, this.re);
    return concatBytes(sealed, this.seal(NOTHING));
  }
  read3(message) {
    this.rs = this.open(message.slice(0, 48));
    this.mixDh(this.ephemeral.dh, this.rs);
    this.open(message.slice(48));
  }
  // {send, receive} as ciphers.
  split() {
    const [k1, k2] = hkdf(this.ck, NOTHING);
    const [first, second] = [new Cipher(k1), new Cipher(k2)];
    return this.initiator
      ? { send: first, receive: second }
      : { send: second, receive: first };
  }
}

export class Records {
  constructor(cipher, rekeyEvery) {
    this.cipher = cipher;
    this.rekeyEvery = BigInt(rekeyEvery);
  }
  turn() {
    if (this.cipher.n % this.rekeyEvery === 0n) this.cipher.rekey();
  }
  // A frame to what goes over the wire, length first.
  seal(frame) {
    const plain = new Uint8Array(Math.ceil((frame.length + 2) / 256) * 256);
    new DataView(plain.buffer).setUint16(0, frame.length);
    plain.set(frame, 2);
    const sealed = this.cipher.encrypt(NOTHING, plain);
    this.turn();
    return withLength(sealed);
  }
  // The ciphertext without its length, to the frame.
  open(sealed) {
    const plain = this.cipher.decrypt(NOTHING, sealed);
    this.turn();
    const length = (plain[0] << 8) | plain[1];
    if (plain.length % 256 !== 0 || length + 2 > plain.length) throw new Error('record length');
    if (plain.subarray(2 + length).some((b) => b !== 0)) throw new Error('padding');
    return plain.slice(2, 2 + length);
  }
}

export function withLength(bytes) {
  return concatBytes(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
}

// msgpack, as much of it as a hello and its neighbours need.
export function pack(value) {
  const be = (head, n, size) => {
    const out = new Uint8Array(1 + size);
    out[0] = head;
    for (let i = size; i > 0; i--, n = Math.floor(n / 256)) out[i] = n % 256;
    return out;
  };
  if (value === null) return Uint8Array.of(0xc0);
  if (typeof value === 'number') {
    if (value < 128) return Uint8Array.of(value);
    if (value < 256) return be(0xcc, value, 1);
    return value < 65536 ? be(0xcd, value, 2) : be(0xce, value, 4);
  }
  if (typeof value === 'string') {
    const bytes = utf8ToBytes(value);
    return concatBytes(Uint8Array.of(0xa0 + bytes.length), bytes);
  }
  if (value instanceof Uint8Array) {
    const head = value.length < 256 ? be(0xc4, value.length, 1) : be(0xc5, value.length, 2);
    return concatBytes(head, value);
  }
  if (value instanceof Map) {
    const inner = [...value].flatMap(([k, v]) => [pack(k), pack(v)]);
    return concatBytes(Uint8Array.of(0x80 + value.size), ...inner);
  }
  return concatBytes(Uint8Array.of(0x90 + value.length), ...value.map(pack));
}

// A value and the bytes after it: [value, rest].
export function unpack(bytes) {
  const head = bytes[0];
  const be = (size) => bytes.slice(1, 1 + size).reduce((n, b) => n * 256 + b, 0);
  const many = (n, rest) => {
    const values = [];
    for (let i = 0; i < n; i++) {
      const [value, more] = unpack(rest);
      values.push(value);
      rest = more;
    }
    return [values, rest];
  };
  if (head < 0x80) return [head, bytes.slice(1)];
  if (head < 0x90) {
    const [flat, rest] = many(2 * (head & 15), bytes.slice(1));
    return [new Map(flat.flatMap((k, i) => (i % 2 ? [] : [[k, flat[i + 1]]]))), rest];
  }
  if (head < 0xa0) return many(head & 15, bytes.slice(1));
  if (head < 0xc0) {
    const end = 1 + (head & 31);
    return [new TextDecoder().decode(bytes.slice(1, end)), bytes.slice(end)];
  }
  if (head === 0xc0) return [null, bytes.slice(1)];
  if (head === 0xc4) return [bytes.slice(2, 2 + be(1)), bytes.slice(2 + be(1))];
  if (head === 0xc5) return [bytes.slice(3, 3 + be(2)), bytes.slice(3 + be(2))];
  if (head === 0xcc) return [be(1), bytes.slice(2)];
  if (head === 0xcd) return [be(2), bytes.slice(3)];
  if (head === 0xce) return [be(4), bytes.slice(5)];
  throw new Error(`msgpack ${head}`);
}

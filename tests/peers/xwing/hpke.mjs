// SPDX-License-Identifier: Apache-2.0
// HPKE base mode (RFC 9180) with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305, written from the RFC
// over the primitives of @noble: the second implementation that ours is compared with.
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ml_kem768_x25519 as xwing } from '@noble/post-quantum/hybrid.js';

const KEM = 0x647a;
const KDF = 1;
const AEAD = 3;

const bytes = (text) => new TextEncoder().encode(text);
const u16 = (n) => Uint8Array.of(n >> 8, n & 255);
const concat = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const suite = concat(bytes('HPKE'), u16(KEM), u16(KDF), u16(AEAD));
const empty = new Uint8Array(0);

const labeledExtract = (salt, label, ikm) =>
  extract(sha256, concat(bytes('HPKE-v1'), suite, bytes(label), ikm), salt);
const labeledExpand = (prk, label, info, length) =>
  expand(sha256, prk, concat(u16(length), bytes('HPKE-v1'), suite, bytes(label), info), length);

export class Context {
  constructor(sharedSecret, info) {
    const context = concat(
      [0],
      labeledExtract(empty, 'psk_id_hash', empty),
      labeledExtract(empty, 'info_hash', info),
    );
    const secret = labeledExtract(sharedSecret, 'secret', empty);
    this.sharedSecret = sharedSecret;
    this.key = labeledExpand(secret, 'key', context, 32);
    this.baseNonce = labeledExpand(secret, 'base_nonce', context, 12);
    this.exporter = labeledExpand(secret, 'exp', context, 32);
    this.seq = 0;
  }

  static sender(pk, info, seed) {
    const { cipherText, sharedSecret } = xwing.encapsulate(pk, seed);
    return { enc: cipherText, context: new Context(sharedSecret, info) };
  }

  static receiver(enc, sk, info) {
    return new Context(xwing.decapsulate(enc, sk), info);
  }

  nonce() {
    const nonce = Uint8Array.from(this.baseNonce);
    let seq = this.seq;
    for (let i = 11; seq > 0; i--) {
      nonce[i] ^= seq & 255;
      seq = Math.floor(seq / 256);
    }
    return nonce;
  }

  seal(aad, plain) {
    const sealed = chacha20poly1305(this.key, this.nonce(), aad).encrypt(plain);
    this.seq++;
    return sealed;
  }

  open(aad, sealed) {
    const plain = chacha20poly1305(this.key, this.nonce(), aad).decrypt(sealed);
    this.seq++;
    return plain;
  }

  export(context, length) {
    return labeledExpand(this.exporter, 'sec', context, length);
  }
}

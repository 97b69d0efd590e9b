// SPDX-License-Identifier: Apache-2.0
// exchange.mjs CLI VECTORS [--write]: ML-KEM-768, X-Wing and HPKE between ours (CLI, one request a
// line) and @noble/post-quantum, with random seeds, in both directions; then the checked-in vectors
// hpke-xwing.json are recomputed. --write makes that file anew.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

import { ml_kem768 as mlkem } from '@noble/post-quantum/ml-kem.js';
import { ml_kem768_x25519 as xwing } from '@noble/post-quantum/hybrid.js';

import { Context } from './hpke.mjs';

const ROUNDS = 50;
const [cliPath, vectors, write] = process.argv.slice(2);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const raw = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
const random = (length) => Uint8Array.from(randomBytes(length));

const child = spawn(cliPath, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

// One request to ours: the answer's byte strings, or null when it refused.
async function ours(command, ...args) {
  child.stdin.write([command, ...args.map((arg) => hex(arg) || '-')].join(' ') + '\n');
  const { value, done } = await lines.next();
  assert(!done, 'the program under test ended');
  const [word, ...results] = value.split(' ');
  assert(word === 'ok' || word === 'refused', value);
  return word === 'refused' ? null : results.map((result) => raw(result === '-' ? '' : result));
}

const same = (a, b, what) => assert.equal(hex(a), hex(b), what);

// A ciphertext of the right length that was not made for the key.
function damaged(bytes, from, to) {
  const copy = Uint8Array.from(bytes);
  copy[from + (randomBytes(2).readUInt16BE() % (to - from))] ^= 1 << randomBytes(1)[0] % 8;
  return copy;
}

async function exchange(name, kem, seedLength, randLength, kemBytes) {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = random(seedLength);
    const theirs = kem.keygen(seed);
    const [pk, sk] = await ours(`${name}-keygen`, seed);
    same(pk, theirs.publicKey, `${name}: public key`);
    same(sk, theirs.secretKey, `${name}: secret key`);

    const rand = random(randLength);
    const sent = kem.encapsulate(pk, rand);
    const [back] = await ours(`${name}-dec`, sent.cipherText, sk);
    same(back, sent.sharedSecret, `${name}: they encapsulate, ours decapsulates`);

    const [ct, ss] = await ours(`${name}-enc`, theirs.publicKey, random(randLength));
    same(kem.decapsulate(ct, theirs.secretKey), ss, `${name}: ours encapsulates`);
    const [ct2, ss2] = await ours(`${name}-enc`, pk, rand);
    same(ct2, sent.cipherText, `${name}: same randomness, same ciphertext`);
    same(ss2, sent.sharedSecret, `${name}: same randomness, same secret`);

    // Implicit rejection: both give the same secret, and not the one that was sent.
    const wrong = damaged(ct, 0, kemBytes);
    const [rejected] = await ours(`${name}-dec`, wrong, sk);
    same(rejected, kem.decapsulate(wrong, theirs.secretKey), `${name}: implicit rejection`);
    assert.notEqual(hex(rejected), hex(ss));

    // A coefficient out of range: both refuse the key.
    const bad = Uint8Array.from(pk);
    bad[3 * (round % 384)] = 0xff;
    bad[3 * (round % 384) + 1] |= 0x0f;
    assert.equal(await ours(`${name}-enc`, bad, rand), null, `${name}: bad key`);
    assert.throws(() => kem.encapsulate(bad, rand));
  }
  console.log(`${name}: ${ROUNDS} rounds, each way, with rejection and a refused key`);
}

async function exchangeHpke() {
  for (let round = 0; round < ROUNDS; round++) {
    const sk = random(32);
    const { publicKey } = xwing.keygen(sk);
    const [info, aad, plain] = [random(round), random(2 * round), random(7 * round)];
    const { enc, context } = Context.sender(publicKey, info, random(64));
    const [opened] = await ours('hpke-open', sk, enc, info, aad, context.seal(aad, plain));
    same(opened, plain, 'hpke: they seal, ours opens');
    const [enc2, sealed] = await ours('hpke-seal', publicKey, random(64), info, aad, plain);
    same(Context.receiver(enc2, sk, info).open(aad, sealed), plain, 'hpke: ours seals');
  }
  console.log(`hpke: ${ROUNDS} rounds, each way`);
}

// Every value of a vector from its inputs: sk, seed, info, and what is sealed and exported.
function compute(input) {
  const info = raw(input.info);
  const { publicKey } = xwing.keygen(raw(input.sk));
  const { enc, context } = Context.sender(publicKey, info, raw(input.seed));
  const receiver = Context.receiver(enc, raw(input.sk), info);
  const encryptions = input.encryptions.map(({ aad, plain }) => {
    const sealed = context.seal(raw(aad), raw(plain));
    same(receiver.open(raw(aad), sealed), raw(plain), 'hpke vector: opens');
    return { aad, plain, sealed: hex(sealed) };
  });
  const exports = input.exports.map(({ context: name, len }) => ({
    context: name,
    len,
    value: hex(context.export(raw(name), len)),
  }));
  return {
    sk: input.sk,
    seed: input.seed,
    info: input.info,
    pk: hex(publicKey),
    enc: hex(enc),
    shared_secret: hex(context.sharedSecret),
    key: hex(context.key),
    base_nonce: hex(context.baseNonce),
    exporter_secret: hex(context.exporter),
    encryptions,
    exports,
  };
}

// Inputs that anyone can make again: SHA-512 of a name.
function inputs(index) {
  const name = (what) => createHash('sha512').update(`petrel hpke-xwing ${index} ${what}`).digest();
  return {
    sk: hex(name('sk').subarray(0, 32)),
    seed: hex(name('seed')),
    info: hex(Buffer.from(['', 'petrel/1 test'][index % 2])),
    encryptions: [0, 1, 2].map((i) => ({
      aad: hex(name(`aad ${i}`).subarray(0, 16 * i)),
      plain: hex(name(`plain ${i}`).subarray(0, 31 * i)),
    })),
    exports: [
      { context: '', len: 32 },
      { context: hex(Buffer.from('response')), len: 64 },
    ],
  };
}

function checkVectors() {
  const path = join(vectors, 'hpke-xwing.json');
  if (write === '--write') {
    const file = {
      description:
        'HPKE base mode, X-Wing (0x647a), HKDF-SHA256, ChaCha20-Poly1305. sk is the seed of the ' +
        'key pair, seed the randomness of the encapsulation; encryptions[i] has sequence number i.',
      source: 'tests/peers/xwing/exchange.mjs --write, over @noble/post-quantum',
      suite: { mode: 0, kem_id: 0x647a, kdf_id: 1, aead_id: 3 },
      cases: [0, 1, 2, 3].map((index) => compute(inputs(index))),
    };
    writeFileSync(path, JSON.stringify(file, null, 1) + '\n');
  }
  const { cases } = JSON.parse(readFileSync(path, 'utf8'));
  assert(cases.length > 0);
  for (const item of cases) {
    assert.deepEqual(compute(item), item);
  }
  console.log(`hpke-xwing.json: ${cases.length} cases recomputed`);
}

await exchange('mlkem', mlkem, 64, 32, 1088);
await exchange('xwing', xwing, 32, 64, 1088);
await exchangeHpke();
checkVectors();
child.stdin.end();

// SPDX-License-Identifier: Apache-2.0
// peer.mjs COUNT PORT...: so many nodes of the npm package bittorrent-dht, which answer the lines of
// dht_cli.c.
import crypto from 'node:crypto'
import readline from 'node:readline'
import { Client } from 'bittorrent-dht'

const SPKI = Buffer.from('302a300506032b6570032100', 'hex') // RFC 8410
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicKey = raw => crypto.createPublicKey(
  { key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' })
const privateKey = seed => crypto.createPrivateKey(
  { key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
const rawOf = seed => crypto.createPublicKey(privateKey(seed))
  .export({ format: 'der', type: 'spki' }).subarray(SPKI.length)
const verify = (signature, value, key) => crypto.verify(
  null, Buffer.from(value), publicKey(Buffer.from(key)), Buffer.from(signature))
const hex = text => text === '-' ? undefined : Buffer.from(text, 'hex')
const bencoded = v => `${Buffer.concat([Buffer.from(`${v.length}:`), v]).toString('hex')}`
const unbencoded = v => v.subarray(v.indexOf(':') + 1)

const [count, ...ports] = process.argv.slice(2).map(Number)
const nodes = []
for (let i = 0; i < count; i++) {
  const dht = new Client({ bootstrap: ports.map(p => `127.0.0.1:${p}`), verify, host: '127.0.0.1' })
  dht.on('error', e => { console.error(e); process.exit(1) })
  dht.on('warning', () => {})
  await new Promise(resolve => dht.listen(0, '127.0.0.1', resolve))
  nodes.push(dht)
  console.log(`port ${dht.address().port}`)
}

const stored = (err, hash, n) => console.log(
  err ? `stored 0 refused 1 code ${/\d{3}/.exec(err.message)?.[0] ?? err.message}`
    : `stored ${n} refused 0 code 0`)
const found = (err, item) => console.log(
  err ? `error ${err.message}` : item ? `value ${bencoded(Buffer.from(item.v))} seq ${item.seq ?? 0}` : 'none')

const commands = {
  put (dht, seed, salt, seq, cas, value) {
    const options = {
      k: rawOf(hex(seed)),
      salt: hex(salt),
      seq: Number(seq),
      v: unbencoded(hex(value)),
      sign: bytes => crypto.sign(null, Buffer.from(bytes), privateKey(hex(seed)))
    }
    if (cas !== '-') options.cas = Number(cas)
    dht.put(options, stored)
  },
  puti (dht, value) { dht.put({ v: unbencoded(hex(value)) }, stored) },
  get (dht, key, salt) {
    const parts = salt === '-' ? [hex(key)] : [hex(key), hex(salt)]
    const target = crypto.createHash('sha1').update(Buffer.concat(parts)).digest()
    dht.get(target, { salt: hex(salt), cache: false }, found)
  },
  geti (dht, target) { dht.get(hex(target), { cache: false }, found) },
  look (dht) {
    dht.get(crypto.randomBytes(20), { cache: false }, () => {})
    console.log('ok')
  },
  status (dht) { console.log(`nodes ${dht.nodes.count()}`) }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, node, ...words] = line.split(' ')
  commands[name](nodes[Number(node)], ...words)
}
process.exit(0)

// A peer made of @ethereumjs/devp2p: announces made-up transactions and serves them. Speaks JSON lines.
//   node library_peer.mjs COUNT [ENODE-TO-DIAL]
import { Common, Mainnet } from '@ethereumjs/common'
import { ETH, RLPx } from '@ethereumjs/devp2p'
import { RLP } from '@ethereumjs/rlp'
import { bigIntToBytes, bytesToHex, hexToBytes, intToBytes } from '@ethereumjs/util'
import { keccak256 } from 'ethereum-cryptography/keccak.js'
import { getRandomBytesSync } from 'ethereum-cryptography/random.js'

const [count, target] = [Number(process.argv[2]), process.argv[3]]
const say = (line) => console.log(JSON.stringify(line))
const pool = new Map()
const entries = []
for (let index = 0; index < count; index++) {
  const raw = new Uint8Array([2, ...RLP.encode([intToBytes(index + 1), getRandomBytesSync(150)])])
  const hash = keccak256(raw)
  pool.set(bytesToHex(hash), raw)
  entries.push([hash, raw.length])
}

const common = new Common({ chain: Mainnet, hardfork: 'london' })
const rlpx = new RLPx(getRandomBytesSync(32), {
  maxPeers: 5, capabilities: [ETH.eth66, ETH.eth67, ETH.eth68], common, listenPort: null,
  clientId: new TextEncoder().encode('ethereumjs-devp2p/v10.0.0'),
})
rlpx.events.on('error', (error) => say({ error: String(error) }))
rlpx.events.on('peer:error', (_, error) => say({ peerError: String(error) }))
rlpx.events.on('peer:removed', (_, reason) => say({ removed: Number(reason) }))
rlpx.events.on('peer:added', (peer) => {
  const eth = peer.getProtocols()[0]
  eth.events.once('status', () => {
    say({ ready: eth.getVersion() })
    for (let at = 0; at < entries.length; at += 1000) {
      const part = entries.slice(at, at + 1000)
      eth.sendMessage(8, [
        new Uint8Array(part.length).fill(2), part.map(([, size]) => intToBytes(size)), part.map(([hash]) => hash),
      ])
    }
  })
  eth.events.on('message', (code, payload) => {
    if (code === 9) {
      const [id, hashes] = payload
      eth.sendMessage(10, [id, hashes.map((hash) => pool.get(bytesToHex(hash))).filter(Boolean)])
    }
    say({ message: code })
  })
  eth.sendStatus({
    td: bigIntToBytes(17179869184n),
    bestHash: hexToBytes('0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3'),
    genesisHash: hexToBytes('0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3'),
  })
})
rlpx.listen(0, '127.0.0.1')
rlpx._server.once('listening', () => {
  say({ id: bytesToHex(rlpx.id).slice(2), port: rlpx._server.address().port, hashes: [...pool.keys()] })
  if (target) {
    const [, id, address, tcpPort] = /enode:\/\/([0-9a-f]+)@([0-9.]+):([0-9]+)/.exec(target)
    rlpx.connect({ id: hexToBytes('0x' + id), address, tcpPort: Number(tcpPort) }).catch((error) => say({ error: String(error) }))
  }
})
process.stdin.on('end', () => process.exit(0)).resume()

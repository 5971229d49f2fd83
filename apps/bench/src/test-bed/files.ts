import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clientsFile, policyFile } from '../orders/order-at.ts'

/** The files that placeorder and the baselines read: keys, clients, policy. */
export type Files = {
  /** Alipay+'s private key, which signs the orders. */
  callerKey: string
  callerPublicKey: string
  signingKey: string
  signingPublicKey: string
  clients: string
  policy: string
}

export async function writeFiles(dir: string): Promise<Files> {
  await mkdir(dir, { recursive: true })
  const files = {
    callerKey: join(dir, 'alipay.pem'),
    callerPublicKey: join(dir, 'alipay.pub.pem'),
    signingKey: join(dir, 'acquirer.pem'),
    signingPublicKey: join(dir, 'acquirer.pub.pem'),
    clients: join(dir, 'clients.json'),
    policy: join(dir, 'policy.json'),
  }
  await Promise.all([
    ...writeKeys(files.callerKey, files.callerPublicKey),
    ...writeKeys(files.signingKey, files.signingPublicKey),
    writeFile(files.clients, JSON.stringify(clientsFile)),
    writeFile(files.policy, JSON.stringify(policyFile)),
  ])
  return files
}

function writeKeys(privatePath: string, publicPath: string): Promise<void>[] {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return [
    writeFile(privatePath, privateKey.export({ type: 'pkcs8', format: 'pem' })),
    writeFile(publicPath, publicKey.export({ type: 'spki', format: 'pem' })),
  ]
}

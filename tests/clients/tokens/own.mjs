/**
 * A backend with users and a key of its own. With `keys` it writes the key and its public half;
 * with an id and a username it prints a token.
 */

import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const [id, username] = process.argv.slice(2);

if (id === 'keys') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync('jwks.json', JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }));
  process.exit();
}

const key = createPrivateKey(readFileSync('key.pem'));
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = Date.now() / 1000;
const user = { sub: id, preferred_username: username };
const claims = { iss: 'backend', aud: 'entourage', ...user, iat: now, exp: now + 600 };
const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
const token = `${text}.${signature.toString('base64url')}`;

console.log(token);

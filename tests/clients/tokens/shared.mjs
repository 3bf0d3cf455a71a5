/**
 * A backend that signs with the key of the server. Prints a token for the user whose id is the
 * argument.
 */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const id = process.argv[2];
const key = readFileSync(process.env.ENTOURAGE_JWT_SECRET_FILE, 'utf8').trimEnd();
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = Date.now() / 1000;
const claims = { iss: 'entourage', aud: 'entourage', sub: id, iat: now, exp: now + 600 };
const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
const token = `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;

console.log(token);

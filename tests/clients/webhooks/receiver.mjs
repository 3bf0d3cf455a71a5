/** A receiver of the webhook: it prints the messages whose signature is right. */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = process.env.WEBHOOK_SECRET;

/** The message of a request, or null if it is not from Entourage. `body` is the text as received. */
function verified(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp } = headers;
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!id || !(age < 300)) return null;

  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${id}.${timestamp}.${body}`;
  const expected = Buffer.from(createHmac('sha256', key).update(content).digest('base64'));
  const signatures = (headers['webhook-signature'] ?? '').split(' ').map((one) => one.split(','));
  const isRight = signatures.some(([version, signature]) => {
    const given = Buffer.from(signature ?? '');
    const fits = version === 'v1' && given.length === expected.length;
    return fits && timingSafeEqual(given, expected);
  });
  return isRight ? { id, ...JSON.parse(body) } : null;
}

const server = createServer(async (request, response) => {
  let body = '';
  try {
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
      // A message has less than 4 kB.
      if (body.length > 4096) return request.destroy();
    }
  } catch {
    return; // The sender has gone.
  }
  const message = verified(request.headers, body);
  if (message) console.log(JSON.stringify(message));
  response.writeHead(message ? 204 : 401).end();
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/hooks`);
});

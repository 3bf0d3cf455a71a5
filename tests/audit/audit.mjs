// Checks a running server against GraphQL over HTTP: node audit.mjs http://127.0.0.1:8000/graphql
//
// Every audit must pass, SHOULD and MAY included. Their number is fixed here, so that an update that
// adds audits is noticed.

import { serverAudits } from 'graphql-http';

const AUDITS = 61;

const [url] = process.argv.slice(2);
if (!url) {
  console.error('usage: node audit.mjs URL');
  process.exit(2);
}

const audits = serverAudits({ url });
let passed = 0;
for (const { id, name, fn } of audits) {
  const result = await fn();
  if (result.status === 'ok') {
    passed += 1;
  } else {
    const body = await result.response?.text().catch(() => '');
    console.error(`${id} ${name}\n  ${result.status}: ${result.reason}\n  ${body ?? ''}`);
  }
}

console.log(`${passed} of ${audits.length} audits passed`);
if (audits.length !== AUDITS) {
  console.error(`there are ${audits.length} audits, and not ${AUDITS}`);
}
process.exitCode = passed === AUDITS && audits.length === AUDITS ? 0 : 1;

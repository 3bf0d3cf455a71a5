// Runs a server in one process per core, as usual for Node: node cluster.mjs SERVER.

import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

if (cluster.isPrimary) {
  for (let n = 0; n < availableParallelism(); n += 1) cluster.fork();
  cluster.on('exit', () => process.exit(1)); // one that failed is no measurement
} else {
  await import(new URL(process.argv[2], import.meta.url));
}

// Reports: medians and Markdown tables.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { binary, sql } from './database.mjs';

const FOLDER = 'target/bench';
const PAGE = 'docs/performance.md';

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The medians of the figures of several measurements. */
export function medians(measurements) {
  const keys = Object.keys(measurements[0]);
  return Object.fromEntries(keys.map((key) => [key, median(measurements.map((m) => m[key]))]));
}

/** A number with its significant digits only. */
export function digits(number) {
  if (!Number.isFinite(number)) return '';
  const places = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString('en-US', {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  });
}

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const align = head.map((_, at) => (at === 0 ? '---' : '--:'));
  return [line(head), `|${align.join('|')}|`, ...rows.map(line)].join('\n');
}

/** The machine and its software. */
export function machine() {
  const { model } = cpus()[0];
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  const [[postgres]] = sql('SHOW server_version');
  return `${cpus().length} cores of ${model.trim()}, ${gigabytes} GB; `
    + `PostgreSQL ${postgres.split(' ')[0]}; ${version}; ${new Date().toISOString().slice(0, 10)}`;
}

/** Prints progress, separate from the result. */
export function progress(text) {
  process.stderr.write(`${text}\n`);
}

/** Writes the result between its marks in the documentation. */
function document(name, text) {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const page = readFileSync(PAGE, 'utf8');
  const [before, after] = [page.indexOf(begin), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${PAGE} has no place for ${name}`);
  const written = `${page.slice(0, before)}${begin}${text}\n${page.slice(after)}`;
  writeFileSync(PAGE, written);
}

/** Prints the result, saves it to a file, and optionally writes it into the documentation. */
export function publish(name, text, figures, { docs }) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/${name}.md`, `${text}\n`);
  writeFileSync(`${FOLDER}/${name}.json`, `${JSON.stringify(figures, null, 1)}\n`);
  if (docs) document(name, text);
  process.stdout.write(`\n${text}\n`);
  progress(`\nwritten: ${FOLDER}/${name}.md and .json`);
}

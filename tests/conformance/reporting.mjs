// One line of JSON per check on standard output, which the runner reads.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const base = process.env.OPENAI_BASE_URL;
export const gateway = process.env.GATEWAY_URL;
export const apiKey = process.env.OPENAI_API_KEY;

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

export function client(name) {
  const { version } = JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url)));
  say({ client: name, version });
}

export async function check(name, body) {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    await body();
    say({ check: name, ok: true, seconds: seconds(), error: null });
  } catch (error) {
    say({ check: name, ok: false, seconds: seconds(), error: String(error?.stack ?? error).slice(0, 600) });
  }
}

export async function collect(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

export { assert };

async function send(address, method, path, body, headers = {}) {
  const answer = await fetch(`${address}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

export const admin = (method, path, body) =>
  send(gateway, method, `/admin${path}`, body, { authorization: `Bearer ${process.env.GATEWAY_ADMIN_KEY}` });
export const poe = (method, path, body) =>
  send(process.env.GATEWAY_POE_OFFICIAL_BASE_URL, method, `/_sim${path}`, body);

/** Runs `body` while one fresh account is the only one there is, whose requests meet the faults. */
export async function withOnlyAccount({ points = 100000, faults = [] }, body) {
  const key = `conformance-${crypto.randomUUID()}`;
  await poe('POST', '/accounts', { api_key: key, points });
  if (faults.length) await poe('POST', '/scenarios', { faults, times: 20, account: key });
  const others = (await admin('GET', '/accounts?limit=200')).data.filter((one) => one.status !== 'disabled');
  for (const one of others) await admin('POST', `/accounts/${one.id}/disable`);
  const credentials = { api_key: key };
  const made = await admin('POST', '/accounts', { kind: 'official', label: key, credentials, max_concurrency: 1, check: false });
  try {
    await body(made);
  } finally {
    await admin('DELETE', `/accounts/${made.id}`);
    for (const one of others) await admin('POST', `/accounts/${one.id}/enable`);
  }
}

/** An API key with limits; revoked after `body`. */
export async function withKey(limits, body) {
  const made = await admin('POST', '/keys', { name: 'conformance', ...limits });
  try {
    await body(made.key);
  } finally {
    await admin('DELETE', `/keys/${made.id}`);
  }
}

/** `fetch` that counts. */
export function counting() {
  const counted = (...given) => {
    counted.requests += 1;
    return fetch(...given);
  };
  counted.requests = 0;
  return counted;
}

// One red pixel.
export const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

// Every row of the table of errors, as the SDK shows it, left to its own retries.
import OpenAI from 'openai';
import { admin, apiKey, assert, base, check, collect, counting, withKey, withOnlyAccount } from './reporting.mjs';

const ask = (content) => [{ role: 'user', content }];
const asked = { model: 'Assistant', messages: ask('Hi') };
const TRIES = 3; // One request and the SDK's two retries.

/** The SDK, its requests counted; the waits that `retry-after` asks for are noted and skipped, all other timers run. */
function observed(options) {
  const seen = { requests: 0, told: [], waited: [] };
  const timer = globalThis.setTimeout;
  globalThis.setTimeout = (callback, delay, ...rest) => {
    const isWait = delay > 0 && delay === seen.told.at(-1) * 1000;
    if (isWait) seen.waited.push(delay / 1000);
    return timer(callback, isWait ? 0 : delay, ...rest);
  };
  const fetching = async (...given) => {
    seen.requests += 1;
    const answer = await fetch(...given);
    seen.told.push(Number(answer.headers.get('retry-after')));
    return answer;
  };
  const client = new OpenAI({ baseURL: base, apiKey, timeout: 29_123, fetch: fetching, ...options });
  return { client, seen, stop: () => (globalThis.setTimeout = timer) };
}

/** Asks, streamed and not, and expects this error after so many requests. */
async function expectError([kind, status, type, code, { requests = 1, waits = false } = {}], options = {}, body = {}) {
  for (const stream of [false, true]) {
    const { client, seen, stop } = observed(options);
    try {
      await assert.rejects(client.chat.completions.create({ ...asked, ...body, stream }), (error) => {
        assert.equal(error.constructor, kind, error.message);
        assert.deepEqual([error.status, error.type, error.code], [status, type, code]);
        assert.equal(error.headers.has('retry-after'), waits, 'retry-after');
        assert.equal(error.message.includes('conformance-'), false);
        return true;
      });
    } finally {
      stop();
    }
    assert.equal(seen.requests, requests, `requests, stream: ${stream}`);
    assert.deepEqual(seen.waited, seen.told.slice(0, -1), 'waits');
  }
}

const { APIError, AuthenticationError, BadRequestError, InternalServerError } = OpenAI;
const { NotFoundError, PermissionDeniedError, RateLimitError } = OpenAI;
const BAD = 'invalid_request_error';
const upstream = (status, code, kind = BAD) => ({ faults: [{ type: 'http_error', status, kind, code }] });
const later = { requests: TRIES, waits: true };

/** What is expected, and how it comes about: given a function that asks, with options and fields of its own. */
const rows = {
  'no key': [
    [AuthenticationError, 401, 'authentication_error', 'invalid_api_key'],
    (expect) => expect({ defaultHeaders: { Authorization: null } }),
  ],
  'a wrong key': [
    [AuthenticationError, 401, 'authentication_error', 'invalid_api_key'],
    (expect) => expect({ apiKey: 'wrong' }),
  ],
  'a model that the key may not use': [
    [PermissionDeniedError, 403, 'permission_error', 'model_not_allowed'],
    (expect) => withKey({ models: ['Echo'] }, (key) => expect({ apiKey: key })),
  ],
  'a model that does not exist': [
    [NotFoundError, 404, BAD, 'model_not_found'],
    (expect) => withOnlyAccount({}, () => expect({}, { model: 'No-Such-Bot' })),
  ],
  'an address that does not exist': [
    [NotFoundError, 404, BAD, 'not_found'],
    (expect) => expect({ baseURL: base.replace(/v1$/, 'v2') }),
  ],
  'a wrong field': [[BadRequestError, 400, BAD, 'invalid_type'], (expect) => expect({}, { top_p: 'x' })],
  'a prompt that is too long': [
    [BadRequestError, 400, BAD, 'context_length_exceeded'],
    (expect) => withOnlyAccount(upstream(400, 'context_length_exceeded'), () => expect()),
  ],
  // Lambda itself refuses it, in its own words, before the gateway is asked.
  'a body over 6 MB': [
    [APIError, 413, undefined, undefined],
    (expect) => expect({}, { messages: ask('x'.repeat(6_400_000)) }),
  ],
  "over the key's rate": [
    [RateLimitError, 429, 'rate_limit_error', 'rate_limit_exceeded', later],
    (expect) =>
      withKey({ requests_per_minute: 1 }, async (key) => {
        // Not so late that the next minute helps.
        while (Date.now() % 60_000 > 55_000) await new Promise((resolve) => setTimeout(resolve, 50));
        await new OpenAI({ baseURL: base, apiKey: key }).chat.completions.create(asked);
        await expect({ apiKey: key });
      }),
  ],
  "over the key's budget": [
    [RateLimitError, 429, 'insufficient_quota', 'insufficient_quota', { waits: true }],
    (expect) => withKey({ points_per_day: 0 }, (key) => expect({ apiKey: key })),
  ],
  'no points left': [
    [RateLimitError, 429, 'insufficient_quota', 'insufficient_quota', { waits: true }],
    (expect) =>
      withOnlyAccount({ points: 0 }, async ({ id }) => {
        await admin('POST', `/accounts/${id}/refresh-points`);
        await expect();
      }),
  ],
  'all accounts busy': [
    [RateLimitError, 429, 'rate_limit_error', 'accounts_busy', later],
    (expect) =>
      withOnlyAccount({}, async () => {
        const client = new OpenAI({ baseURL: base, apiKey });
        const held = await client.chat.completions.create({ model: 'Story', messages: ask('count 300'), stream: true });
        await expect();
        await collect(held);
      }),
  ],
  'refused content': [
    [BadRequestError, 400, BAD, 'content_filter'],
    (expect) => withOnlyAccount(upstream(400, 'content_filter'), () => expect()),
  ],
  'the upstream fails': [
    [InternalServerError, 502, 'server_error', 'upstream_error'],
    (expect) => withOnlyAccount(upstream(500, null, 'provider_error'), () => expect()),
  ],
  'the upstream wants a challenge solved': [
    [InternalServerError, 503, 'server_error', 'upstream_challenge'],
    (expect) => withOnlyAccount({ faults: ['challenge_page'] }, () => expect()),
  ],
  'the upstream is too slow': [
    [InternalServerError, 504, 'server_error', 'upstream_timeout'],
    (expect) => withOnlyAccount(upstream(408, null, 'timeout_error'), () => expect()),
  ],
};

for (const [name, [expected, arrange]] of Object.entries(rows)) {
  await check(`error: ${name}`, () => arrange((options, body) => expectError(expected, options, body)));
}

await check('error: a wrong field is named', () =>
  assert.rejects(new OpenAI({ baseURL: base, apiKey }).chat.completions.create({ ...asked, top_p: 'x' }), { param: 'top_p' }));

await check('the SDK waits for a busy account and succeeds', () =>
  withOnlyAccount({}, async () => {
    const fetch = counting();
    const first = new OpenAI({ baseURL: base, apiKey });
    const held = await first.chat.completions.create({ model: 'Story', messages: ask('count 120'), stream: true });
    const patient = new OpenAI({ baseURL: base, apiKey, maxRetries: 8, fetch });
    const second = patient.chat.completions.create(asked);
    await collect(held);
    assert.ok((await second).choices[0].message.content);
    assert.ok(fetch.requests > 1, 'it was never refused');
  }));

await check('error: in the middle of a stream, after what came before', () =>
  withOnlyAccount({ faults: [{ type: 'error_event', at: 4 }] }, async () => {
    const client = new OpenAI({ baseURL: base, apiKey });
    const stream = await client.chat.completions.create({ model: 'Story', messages: ask('count 30'), stream: true });
    let text = '';
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    }, OpenAI.APIError);
    assert.match(text, /w0001/);
  }));

await check('error: in the middle of a response, in plain iteration and in the helper', () =>
  withOnlyAccount({ faults: [{ type: 'error_event', at: 4 }] }, async () => {
    const client = new OpenAI({ baseURL: base, apiKey });
    const request = { model: 'Story', input: 'count 30' };
    await assert.rejects(collect(await client.responses.create({ ...request, stream: true })), OpenAI.APIError);
    await assert.rejects(client.responses.stream(request).finalResponse(), OpenAI.APIError);
  }));

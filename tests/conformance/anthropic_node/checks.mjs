// Anthropic's SDK for TypeScript, as published, against the gateway's Messages API.
import Anthropic from '@anthropic-ai/sdk';
import { PIXEL, apiKey, assert, check, client as announce, collect, counting, gateway, withOnlyAccount } from './reporting.mjs';

announce('@anthropic-ai/sdk');
const client = new Anthropic({ baseURL: gateway, apiKey, maxRetries: 0, timeout: 30_000 });
const ask = (content) => [{ role: 'user', content }];
const asked = (content, more = {}) => ({ model: 'Assistant', max_tokens: 500, messages: ask(content), ...more });
const tools = [
  { name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
];

await check('a message', async () => {
  const message = await client.messages.create(asked('[[say: good day]]', { system: 'Be brief.' }));
  assert.deepEqual(message.content.map((block) => [block.type, block.text]), [['text', 'good day']]);
  assert.deepEqual([message.type, message.role, message.stop_reason], ['message', 'assistant', 'end_turn']);
  assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
});

await check('a bearer token in place of the key', async () => {
  const other = new Anthropic({ baseURL: gateway, apiKey: null, authToken: apiKey, maxRetries: 0 });
  assert.equal((await other.messages.create(asked('[[say: in]]'))).content[0].text, 'in');
});

await check('a streamed message, put together by the helper', async () => {
  const stream = client.messages.stream(asked('[[say: one two three]]'));
  const kinds = [];
  stream.on('streamEvent', (event) => kinds.push(event.type));
  const message = await stream.finalMessage();
  assert.equal(message.content[0].text, 'one two three');
  assert.equal(kinds[0], 'message_start');
  assert.equal(kinds.at(-1), 'message_stop');
  assert.ok(message.usage.output_tokens > 0);
});

await check('a tool used and answered, streamed and not', async () => {
  const question = '[[call: get_weather {"city": "Oslo"}]]';
  const whole = await client.messages.create(asked(question, { tools }));
  const streamed = await client.messages.stream(asked(question, { tools })).finalMessage();
  for (const message of [whole, streamed]) {
    const use = message.content.find((block) => block.type === 'tool_use');
    assert.deepEqual([use.name, use.input, message.stop_reason], ['get_weather', { city: 'Oslo' }, 'tool_use']);
    const result = { type: 'tool_result', tool_use_id: use.id, content: 'Snow' };
    const turns = [...ask(question), { role: 'assistant', content: message.content }, { role: 'user', content: [result] }];
    const next = await client.messages.create({ ...asked('', { tools }), messages: turns });
    assert.match(next.content[0].text, /Snow/);
  }
});

await check('an image to look at', async () => {
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } };
  const message = await client.messages.create(asked([image, { type: 'text', text: 'What is it?' }], { model: 'GPT-5.2' }));
  assert.match(message.content[0].text, /What is it\?\s+\[.+\]/);
});

await check('tokens counted', async () => {
  const { input_tokens } = await client.messages.countTokens({ model: 'Assistant', messages: ask('How many are there?') });
  assert.ok(input_tokens > 3 && input_tokens < 40);
});

async function expectError(kind, status, type, options = {}, body = {}) {
  const fetch = counting();
  const chat = new Anthropic({ baseURL: gateway, apiKey, fetch, timeout: 30_000, ...options });
  await assert.rejects(chat.messages.create({ ...asked('Hi'), ...body }), (error) => {
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    assert.deepEqual([error.status, error.error.type, error.error.error.type], [status, 'error', type]);
    return true;
  });
  assert.equal(fetch.requests, 1);
}

await check('error: a wrong key', () =>
  expectError(Anthropic.AuthenticationError, 401, 'authentication_error', { apiKey: 'wrong' }));
await check('error: a wrong field', () =>
  expectError(Anthropic.BadRequestError, 400, 'invalid_request_error', {}, { max_tokens: 'many' }));
await check('error: a model that does not exist', () =>
  withOnlyAccount({}, () =>
    expectError(Anthropic.NotFoundError, 404, 'not_found_error', {}, { model: 'No-Such-Bot' })));
await check('error: the upstream fails', () =>
  withOnlyAccount({ faults: [{ type: 'http_error', status: 500, kind: 'provider_error' }] }, () =>
    expectError(Anthropic.InternalServerError, 502, 'api_error')));
await check('error: in the middle of a stream', () =>
  withOnlyAccount({ faults: [{ type: 'error_event', at: 4 }] }, async () => {
    const stream = await client.messages.create(asked('count 30', { model: 'Story', stream: true }));
    await assert.rejects(collect(stream), Anthropic.APIError);
  }));

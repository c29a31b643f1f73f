// LangChain for JavaScript with its package for OpenAI, as published.
import { ChatOpenAI } from '@langchain/openai';
import { apiKey, assert, base, check, client as announce } from './reporting.mjs';

announce('@langchain/openai');
const model = (options = {}) =>
  new ChatOpenAI({ model: 'Assistant', apiKey, configuration: { baseURL: base }, maxRetries: 0, ...options });
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

await check('invoke', async () => {
  const answer = await model().invoke('[[say: good day]]');
  assert.equal(answer.content, 'good day');
  assert.ok(answer.usage_metadata.total_tokens > 0);
});

await check('stream', async () => {
  let text = '';
  for await (const chunk of await model().stream('[[say: one two three]]')) text += chunk.content;
  assert.equal(text, 'one two three');
});

await check('tools', async () => {
  const answer = await model().bindTools([weather]).invoke('[[call: weather {"city": "Oslo"}]]');
  assert.deepEqual(answer.tool_calls.map(({ name, args }) => [name, args]), [['weather', { city: 'Oslo' }]]);
});

await check('structured output', async () => {
  const schema = { title: 'x', type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
  const chat = model().withStructuredOutput(schema, { method: 'jsonSchema' });
  assert.deepEqual(await chat.invoke('[[say: {"a": 1}]]'), { a: 1 });
});

await check('an error', async () => {
  await assert.rejects(model({ model: 'No-Such-Bot' }).invoke('Hi'), (error) => {
    assert.equal(error.status ?? error.response?.status, 404);
    return true;
  });
});

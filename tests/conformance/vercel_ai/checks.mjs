// Vercel's AI SDK with its providers for OpenAI-compatible services, OpenAI and Anthropic, as published.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { PIXEL, apiKey, assert, base, check, client as announce, collect, gateway } from './reporting.mjs';

announce('ai');
const provider = createOpenAICompatible({ name: 'poe', baseURL: base, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const model = provider('Assistant');
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `Snow in ${city}`,
});

await check('generateText', async () => {
  const { text, usage, finishReason } = await generateText({ model, prompt: '[[say: good day]]', system: 'Be brief.' });
  assert.deepEqual([text, finishReason], ['good day', 'stop']);
  assert.ok(usage.totalTokens > 0);
});

await check('streamText with usage', async () => {
  const result = streamText({ model, prompt: '[[say: one two three]]', maxRetries: 0 });
  const pieces = await collect(result.textStream);
  assert.equal(pieces.join(''), 'one two three');
  assert.ok((await result.usage).outputTokens > 0);
});

await check('streamText shows the reasoning', async () => {
  const result = streamText({ model: provider('Reasoner'), prompt: 'Why?' });
  assert.match(await result.text, /Why\?/);
  assert.match(await result.reasoningText, /Thinking/);
});

await check('tools in several steps, streamed and not', async () => {
  const asked = { model, prompt: '[[call: weather {"city": "Oslo"}]]', tools: { weather }, stopWhen: stepCountIs(3) };
  assert.match((await generateText(asked)).text, /Snow in Oslo/);
  const streamed = streamText(asked);
  assert.match(await streamed.text, /Snow in Oslo/);
  assert.equal((await streamed.steps).length, 2);
});

await check('an object of a given form', async () => {
  const schema = z.object({ name: z.string(), age: z.number().int() });
  const result = await generateText({ model: provider('Structured'), prompt: 'Who?', output: Output.object({ schema }) });
  assert.ok(schema.safeParse(result.output).success);
});

await check('an image to look at', async () => {
  const content = [{ type: 'text', text: 'What is it?' }, { type: 'image', image: Buffer.from(PIXEL, 'base64') }];
  const { text } = await generateText({ model: provider('GPT-5.2'), messages: [{ role: 'user', content }] });
  assert.match(text, /What is it\?\s+\[.+\]/);
});

await check('a base address with a slash too many', async () => {
  for (const baseURL of [`${base}/`, gateway]) {
    const other = createOpenAICompatible({ name: 'poe', baseURL, apiKey });
    assert.equal((await generateText({ model: other('Assistant'), prompt: '[[say: there]]' })).text, 'there');
  }
});

await check('an error in its words', async () => {
  const other = createOpenAICompatible({ name: 'poe', baseURL: base, apiKey: 'wrong' });
  await assert.rejects(generateText({ model: other('Assistant'), prompt: 'Hi', maxRetries: 0 }), (error) => {
    assert.ok(APICallError.isInstance(error));
    return error.statusCode === 401 && /API key/.test(error.message);
  });
});

// The providers for OpenAI, whose default is the Responses API, and for Anthropic.
const openai = createOpenAI({ baseURL: base, apiKey });
const anthropic = createAnthropic({ baseURL: base, apiKey });
const providers = [
  ['@ai-sdk/openai', openai('Assistant'), openai('Structured'), openai('GPT-5.2')],
  ['@ai-sdk/openai, chat', openai.chat('Assistant'), openai.chat('Structured'), openai.chat('GPT-5.2')],
  // It asks for objects by a tool that must be called.
  ['@ai-sdk/anthropic', anthropic('Assistant'), anthropic('ToolCaller'), anthropic('Claude-Sonnet-4.5')],
];

for (const [name, plain, structured, seeing] of providers) {
  await check(`${name}: generateText and streamText, with usage`, async () => {
    const whole = await generateText({ model: plain, prompt: '[[say: good day]]', instructions: 'Be brief.', maxRetries: 0 });
    assert.deepEqual([whole.text, whole.finishReason], ['good day', 'stop']);
    assert.ok(whole.usage.outputTokens > 0);
    const streamed = streamText({ model: plain, prompt: '[[say: one two three]]', maxRetries: 0 });
    assert.equal((await collect(streamed.textStream)).join(''), 'one two three');
    assert.ok((await streamed.usage).outputTokens > 0);
  });

  await check(`${name}: tools in several steps, streamed and not`, async () => {
    const prompt = '[[call: weather {"city": "Oslo"}]]';
    const asked = { model: plain, prompt, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
    assert.match((await generateText(asked)).text, /Snow in Oslo/);
    const streamed = streamText(asked);
    assert.match(await streamed.text, /Snow in Oslo/);
    assert.equal((await streamed.steps).length, 2);
  });

  await check(`${name}: a tool that must be called`, async () => {
    const asked = { model: plain, prompt: '[[call: weather {"city": "Oslo"}]]', tools: { weather }, maxRetries: 0 };
    const { toolCalls } = await generateText({ ...asked, toolChoice: { type: 'tool', toolName: 'weather' } });
    assert.deepEqual(toolCalls.map(({ toolName, input }) => [toolName, input]), [['weather', { city: 'Oslo' }]]);
  });

  await check(`${name}: an object of a given form`, async () => {
    const schema = z.object({ name: z.string(), age: z.number().int() });
    const asked = { model: structured, prompt: 'Who?', output: Output.object({ schema }), maxRetries: 0 };
    assert.ok(schema.safeParse((await generateText(asked)).output).success);
  });

  await check(`${name}: an image to look at`, async () => {
    const content = [{ type: 'text', text: 'What is it?' }, { type: 'image', image: Buffer.from(PIXEL, 'base64') }];
    const { text } = await generateText({ model: seeing, messages: [{ role: 'user', content }], maxRetries: 0 });
    assert.match(text, /What is it\?\s+\[.+\]/);
  });

  await check(`${name}: an error in its words`, async () => {
    const missing = name.endsWith('anthropic') ? anthropic('No-Such-Bot') : openai('No-Such-Bot');
    await assert.rejects(generateText({ model: missing, prompt: 'Hi', maxRetries: 0 }), (error) => {
      assert.ok(APICallError.isInstance(error));
      return error.statusCode === 404 && /model/.test(error.message);
    });
  });
}

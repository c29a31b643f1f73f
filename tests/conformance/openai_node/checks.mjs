// OpenAI's SDK for Node, as published, against the gateway.
import OpenAI, { toFile } from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { PIXEL, apiKey, assert, base, check, client as announce, collect, withOnlyAccount } from './reporting.mjs';

announce('openai');
const client = new OpenAI({ baseURL: base, apiKey, maxRetries: 0, timeout: 30_000 });
const ask = (content) => [{ role: 'user', content }];
const weather = (name) => ({
  type: 'function',
  function: {
    name,
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
});

await check('chat', async () => {
  const completion = await client.chat.completions.create({ model: 'Assistant', messages: ask('[[say: good day]]') });
  assert.equal(completion.choices[0].message.content, 'good day');
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.equal(completion.usage.total_tokens, completion.usage.prompt_tokens + completion.usage.completion_tokens);
  assert.ok(completion._request_id);
});

await check('chat with every role and kind of content', async () => {
  const messages = [
    { role: 'developer', content: 'Be brief.' },
    { role: 'system', content: [{ type: 'text', text: 'Be kind.' }] },
    { role: 'user', content: 'Hi', name: 'me' },
    { role: 'assistant', content: 'Hello' },
    { role: 'user', content: [{ type: 'text', text: '[[say: all read]]' }] },
  ];
  const completion = await client.chat.completions.create({ model: 'Assistant', messages });
  assert.equal(completion.choices[0].message.content, 'all read');
});

await check('streamed chat, in more than one piece, usage only when asked for', async () => {
  for (const include_usage of [true, false]) {
    const options = include_usage ? { stream_options: { include_usage } } : {};
    const messages = ask('[[say: one two three four]]');
    const stream = await client.chat.completions.create({ model: 'Assistant', messages, stream: true, ...options });
    const chunks = await collect(stream);
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
    assert.equal(deltas.map((delta) => delta.content ?? '').join(''), 'one two three four');
    assert.equal(deltas.filter((delta) => delta.role).length, 1);
    assert.equal(chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.finish_reason).length, 1);
    assert.equal(chunks.filter((chunk) => chunk.usage).length, include_usage ? 1 : 0);
    assert.equal(chunks.filter((chunk) => !chunk.choices.length).length, include_usage ? 1 : 0);
  }
});

await check('tool call and its result', async () => {
  const tools = [weather('get_weather')];
  const messages = ask('[[call: get_weather {"city": "Oslo"}]]');
  const first = await client.chat.completions.create({ model: 'Assistant', messages, tools });
  const [call] = first.choices[0].message.tool_calls;
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Oslo' });
  messages.push(first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'Snow' });
  const second = await client.chat.completions.create({ model: 'Assistant', messages, tools });
  assert.match(second.choices[0].message.content, /Snow/);
});

await check('parallel tool calls, streamed, put together by the helper', async () => {
  const messages = ask('[[call: get_weather {"city": "Oslo"}]] [[call: get_time {"city": "Rome"}]]');
  const tools = [weather('get_weather'), weather('get_time')];
  const stream = client.chat.completions.stream({ model: 'Assistant', messages, tools });
  const calls = (await stream.finalChatCompletion()).choices[0].message.tool_calls;
  const found = calls.map((call) => [call.function.name, JSON.parse(call.function.arguments).city]);
  assert.deepEqual(found, [['get_weather', 'Oslo'], ['get_time', 'Rome']]);
  assert.equal(new Set(calls.map((call) => call.id)).size, 2);
});

await check('the tool runner, streamed and not', async () => {
  const run = (stream) =>
    client.chat.completions.runTools({
      model: 'Assistant',
      messages: ask('[[call: get_weather {"city": "Oslo"}]]'),
      stream,
      tools: [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            parse: JSON.parse,
            function: ({ city }) => `Snow in ${city}`,
            parameters: weather('x').function.parameters,
          },
        },
      ],
    });
  for (const stream of [false, true]) assert.match(await run(stream).finalContent(), /Snow in Oslo/);
});

const Person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.enum(['a', 'b'])) });

await check('structured output, parsed', async () => {
  const completion = await client.chat.completions.parse({
    model: 'Structured',
    messages: ask('Who?'),
    response_format: zodResponseFormat(Person, 'person'),
  });
  assert.ok(Person.safeParse(completion.choices[0].message.parsed).success);
});

await check('structured output, streamed', async () => {
  const response_format = zodResponseFormat(Person, 'person');
  const stream = client.chat.completions.stream({ model: 'Structured', messages: ask('Who?'), response_format });
  assert.ok(Person.safeParse((await stream.finalChatCompletion()).choices[0].message.parsed).success);
});

await check('an image to look at', async () => {
  const url = `data:image/png;base64,${PIXEL}`;
  const content = [{ type: 'text', text: 'What is it?' }, { type: 'image_url', image_url: { url } }];
  const completion = await client.chat.completions.create({ model: 'GPT-5.2', messages: ask(content) });
  assert.match(completion.choices[0].message.content, /What is it\?\s+\[.+\]/);
});

await check('a file to read', async () => {
  const file = { filename: 'notes.txt', file_data: `data:text/plain;base64,${btoa('some notes')}` };
  const content = [{ type: 'text', text: 'Sum up' }, { type: 'file', file }];
  const completion = await client.chat.completions.create({ model: 'Assistant', messages: ask(content) });
  assert.match(completion.choices[0].message.content, /Sum up\s+\[.+\]/);
});

await check('models', async () => {
  const models = await collect(client.models.list());
  assert.ok(models.length > 10);
  assert.equal(new Set(models.map((model) => model.id.toLowerCase())).size, models.length);
  assert.equal((await client.models.retrieve(models[0].id.toUpperCase())).id, models[0].id);
});

await check('a response', async () => {
  const input = '[[say: good day]]';
  const response = await client.responses.create({ model: 'Assistant', input, instructions: 'Be brief.' });
  assert.equal(response.output_text, 'good day');
  assert.equal(response.status, 'completed');
  const kept = await client.responses.retrieve(response.id);
  assert.equal(kept.output_text ?? kept.output[0].content[0].text, 'good day');
  const items = await collect(client.responses.inputItems.list(response.id));
  assert.equal(items.length, 1);
  const next = await client.responses.create({ model: 'Assistant', input: 'And?', previous_response_id: response.id });
  assert.match(next.output_text, /And\?/);
  await client.responses.delete(response.id);
  await assert.rejects(client.responses.retrieve(response.id), OpenAI.NotFoundError);
});

await check('a streamed response, every event in order', async () => {
  const stream = await client.responses.create({ model: 'Assistant', input: '[[say: a b c]]', stream: true });
  const events = await collect(stream);
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).type, 'response.completed');
  const deltas = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta);
  assert.equal(deltas.join(''), 'a b c');
});

await check("the helper for streamed responses, and a function's call and output", async () => {
  const tool = { type: 'function', name: 'get_weather', strict: false, parameters: weather('x').function.parameters };
  const input = ask('[[call: get_weather {"city": "Oslo"}]]');
  const stream = client.responses.stream({ model: 'Assistant', input, tools: [tool] });
  const first = await stream.finalResponse();
  const call = first.output.find((item) => item.type === 'function_call');
  assert.deepEqual(JSON.parse(call.arguments), { city: 'Oslo' });
  const output = { type: 'function_call_output', call_id: call.call_id, output: 'Snow' };
  const second = await client.responses.create({
    model: 'Assistant',
    input: [...input, ...first.output, output],
    tools: [tool],
  });
  assert.match(second.output_text, /Snow/);
});

await check('a response of a given form, parsed, streamed and not', async () => {
  const text = { format: zodTextFormat(Person, 'person') };
  const asked = { model: 'Structured', input: 'Who?', text };
  const streamed = client.responses.stream(asked).finalResponse();
  for (const response of [await client.responses.parse(asked), await streamed])
    assert.ok(Person.safeParse(response.output_parsed).success);
});

await check('a response to an image', async () => {
  const image = { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PIXEL}` };
  const input = ask([{ type: 'input_text', text: 'What is it?' }, image]);
  const response = await client.responses.create({ model: 'GPT-5.2', input });
  assert.match(response.output_text, /What is it\?\s+\[.+\]/);
});

await check('an image made, as bytes and as an address', async () => {
  const prompt = 'A red square';
  const made = await client.images.generate({ model: 'GPT-Image-1', prompt, response_format: 'b64_json' });
  assert.ok(Buffer.from(made.data[0].b64_json, 'base64').length > 50);
  const linked = await client.images.generate({ model: 'GPT-Image-1', prompt, response_format: 'url' });
  assert.match(linked.data[0].url, /^https?:/);
});

await check('an image edited', async () => {
  const image = await toFile(Buffer.from(PIXEL, 'base64'), 'pixel.png', { type: 'image/png' });
  const made = await client.images.edit({ model: 'Painter', image, prompt: 'Bluer', response_format: 'b64_json' });
  assert.ok(made.data[0].b64_json.length > 50);
});

const story = { model: 'Story', messages: ask('count 60') };
const aborting = () => {
  const controller = new AbortController();
  return [controller, { signal: controller.signal }];
};
const leave = {
  'out of the loop': async () => {
    const stream = await client.chat.completions.create({ ...story, stream: true });
    for await (const _ of stream) break;
    assert.ok(stream.controller.signal.aborted);
  },
  'by abort, in a stream': async () => {
    const [controller, options] = aborting();
    const stream = await client.chat.completions.create({ ...story, stream: true }, options);
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) controller.abort();
    assert.ok(chunks >= 3 && chunks < 60, `${chunks} chunks`);
  },
  'by abort, while waiting for the whole': async () => {
    const [controller, options] = aborting();
    const chat = client.chat.completions.create(story, options);
    setTimeout(() => controller.abort(), 200);
    await assert.rejects(chat, OpenAI.APIUserAbortError);
  },
  "by the helper's abort": async () => {
    const stream = client.chat.completions.stream(story);
    stream.once('content', () => stream.abort());
    await assert.rejects(stream.finalContent(), OpenAI.APIUserAbortError);
  },
  'by abort, in a response': async () => {
    const stream = client.responses.stream({ model: 'Story', input: 'count 60' });
    stream.once('response.output_text.delta', () => stream.abort());
    await assert.rejects(stream.finalResponse(), OpenAI.APIUserAbortError);
  },
};
for (const [name, leaves] of Object.entries(leave)) {
  await check(`leaving ${name}: the only account is free again`, () =>
    withOnlyAccount({}, async () => {
      await leaves();
      const patient = client.withOptions({ maxRetries: 8 });
      const next = await patient.chat.completions.create({ model: 'Assistant', messages: ask('[[say: free]]') });
      assert.equal(next.choices[0].message.content, 'free');
    }));
}

await import('./errors.mjs');

// One call of one client, left to its own retries: `node call.mjs CLIENT SITUATION`. Prints how it ended.
const [, , client, situation] = process.argv;
const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const model = process.env.MODEL;
// Waits between tries are skipped. Timeouts, which are longer, are not, nor is the clock of Node's `fetch`, which ticks
// every 499 ms: its own timeouts would come early.
const timer = globalThis.setTimeout;
const isWait = (delay) => delay >= 500 && delay < 28_000;
globalThis.setTimeout = (callback, delay, ...rest) => timer(callback, isWait(delay) ? 0 : delay, ...rest);

const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const weather = { type: 'function', function: { name: 'weather', description: 'Weather', parameters } };
const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false };
const format = { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } };
const extra = { tool: { tools: [weather], tool_choice: 'required' }, json: { response_format: format } }[situation] ?? {};
const messages = [{ role: 'user', content: 'Hi' }];

const calls = {
  openai_node: async () => {
    const { default: OpenAI } = await import('openai');
    const sdk = new OpenAI({ baseURL, apiKey });
    if (situation === 'image') return sdk.images.generate({ model, prompt: 'a cat' });
    return sdk.chat.completions.create({ model, messages, ...extra });
  },
  anthropic_node: async () => {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const sdk = new Anthropic({ baseURL: baseURL.replace(/\/v1$/, ''), apiKey });
    const tools = [{ name: 'weather', description: 'Weather', input_schema: parameters }];
    const given = situation === 'tool' ? { tools, tool_choice: { type: 'any' } } : {};
    return sdk.messages.create({ model, max_tokens: 100, messages, ...given });
  },
  vercel_ai: async () => {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const { Output, generateText, jsonSchema, tool } = await import('ai');
    const provider = createOpenAICompatible({ name: 'poe', baseURL, apiKey, supportsStructuredOutputs: true });
    const given = {
      tool: { tools: { weather: tool({ inputSchema: jsonSchema(parameters) }) }, toolChoice: 'required' },
      json: { output: Output.object({ schema: jsonSchema(schema) }) },
    };
    return generateText({ model: provider(model), prompt: 'Hi', ...(given[situation] ?? {}) });
  },
  langchain_js: async () => {
    const { ChatOpenAI } = await import('@langchain/openai');
    const chat = new ChatOpenAI({ model, apiKey, configuration: { baseURL } });
    return chat.invoke('Hi', extra);
  },
};

try {
  await calls[client]();
  console.log('answered');
} catch (error) {
  console.log(`${error.constructor.name} ${error.status ?? error.statusCode ?? error.lastError?.statusCode ?? ''}`);
}

// A server of the Model Context Protocol on standard input and output, with as many tools as its argument says.
import { createInterface } from 'node:readline';

const count = Number(process.argv[2]);
const tools = Array.from({ length: count }, (_, number) => ({
  name: `lookup_${number}`,
  description: `Looks a word up in dictionary ${number}.`,
  inputSchema: { type: 'object', properties: { word: { type: 'string' } }, required: ['word'] },
}));
const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'dictionary', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: given }) => ({
    content: [{ type: 'text', text: `${name} found ${given.word}` }],
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue; // a notification
  const answer = answers[method];
  const reply = answer ? { result: answer(params ?? {}) } : { error: { code: -32601, message: `no ${method}` } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...reply })}\n`);
}

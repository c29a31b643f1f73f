// Codex, as published: `codex exec` in folders of its own.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MCP_SERVER, alias, calling, place, run, sayingCall } from './programs.mjs';
import { apiKey, assert, base, check, client as announce } from './reporting.mjs';

announce('@openai/codex');
const PROGRAM = fileURLToPath(new URL('./node_modules/@openai/codex/bin/codex.js', import.meta.url));
// Codex has a description of this model, with which it sends one custom tool: a script that calls its other tools.
const KNOWN = 'gpt-6-sol';
const script = (name, args) => calling('exec', { input: `text(await tools.${name}(${JSON.stringify(args)}))` });

function settings(extra) {
  return `
model_provider = "gateway"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.gateway]
name = "Gateway"
base_url = "${base}"
env_key = "GATEWAY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
${extra}
`;
}

// What happened in one run: the items that Codex reports, by their type.
async function codex(where, model, prompt, { options = [], extra = '', resume = false } = {}) {
  const folder = join(where.home, '.codex');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.toml'), settings(extra));
  const command = [process.execPath, PROGRAM, 'exec', ...(resume ? ['resume', '--last'] : [])];
  const common = ['--skip-git-repo-check', '--json', '--dangerously-bypass-approvals-and-sandbox', '-m', model];
  const done = await run([...command, ...common, ...options, prompt], where, { GATEWAY_KEY: apiKey });
  const events = done.out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  const items = events.filter(({ type }) => type === 'item.completed').map(({ item }) => item);
  const failure = events.find(({ type }) => type === 'turn.failed');
  assert.equal(done.status, 0, JSON.stringify(failure ?? done.err.slice(-400)));
  const said = items.filter(({ type }) => type === 'agent_message').map(({ text }) => text);
  return { items, text: said.at(-1), usage: events.find(({ type }) => type === 'turn.completed')?.usage };
}

const commands = (items) => items.filter(({ type }) => type === 'command_execution');

await check(`${KNOWN}: becomes a name of one of Poe's models`, () => alias(KNOWN, 'Assistant'));

for (const model of ['Assistant', KNOWN]) {
  await check(`${model}: an answer, with usage`, async () => {
    const { text, usage } = await codex(place(), model, '[[say: good day]]');
    assert.equal(text, 'good day');
    assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
  });
}

await check('a command is run, and its result read', async () => {
  const where = place();
  const { items, text } = await codex(where, 'Assistant', calling('exec_command', { cmd: 'echo made > made.txt; cat made.txt' }));
  assert.deepEqual(commands(items).map(({ exit_code, aggregated_output }) => [exit_code, aggregated_output]), [[0, 'made\n']]);
  assert.match(text, /The tool said: [^]*made/);
  assert.ok(existsSync(join(where.work, 'made.txt')));
});

await check('a web account: a command is run, and its result read', async () => {
  const { items, text } = await codex(place(), 'Puppet', sayingCall('exec_command', 'cmd', 'read it'));
  assert.equal(commands(items)[0].exit_code, 0);
  assert.equal(text, 'read it');
});

await check(`${KNOWN}: a file is changed by apply_patch`, async () => {
  const where = place();
  const patch = '*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n';
  const { items } = await codex(where, KNOWN, script('apply_patch', patch));
  assert.ok(items.some(({ type }) => type === 'file_change'), JSON.stringify(items).slice(0, 500));
  assert.equal(readFileSync(join(where.work, 'new.txt'), 'utf8'), 'hello\n');
});

for (const model of ['Assistant', KNOWN]) {
  await check(`${model}: one of 150 tools of an MCP server`, async () => {
    const extra = `[mcp_servers.dictionary]\ncommand = ${JSON.stringify(process.execPath)}\nargs = ${JSON.stringify([MCP_SERVER, '150'])}\n`;
    const call = model === KNOWN ? script : calling;
    const { items, text } = await codex(place(), model, call('mcp__dictionary__lookup_149', { word: 'moon' }), { extra });
    assert.match(text ?? '', /lookup_149 found moon/, JSON.stringify(items).slice(0, 500));
  });
}

await check('a picture', async () => {
  const { text } = await codex(place(), 'Assistant', 'What is it?', { options: ['-i', 'pixel.png', '--'] });
  assert.match(text, /\[image\]/);
});

await check('an answer by a schema', async () => {
  const where = place();
  const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'], additionalProperties: false };
  writeFileSync(join(where.work, 'schema.json'), JSON.stringify(schema));
  const { text } = await codex(where, 'Structured', 'Who?', { options: ['--output-schema', 'schema.json'] });
  assert.equal(typeof JSON.parse(text).name, 'string');
});

await check('a long session is resumed', async () => {
  const where = place();
  await codex(where, 'Assistant', calling('exec_command', { cmd: 'seq 1 3000' }));
  for (const turn of [1, 2, 3, 4, 5, 6]) {
    const { text } = await codex(where, 'Assistant', `[[say: turn ${turn}]]`, { resume: true });
    assert.equal(text, `turn ${turn}`);
  }
  const { text } = await codex(where, 'Assistant', calling('exec_command', { cmd: 'echo again' }), { resume: true });
  assert.match(text, /again/);
});

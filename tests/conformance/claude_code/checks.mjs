// Claude Code, as published: `claude -p` in folders of its own.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MCP_SERVER, alias, calling, place, run, sayingCall } from './programs.mjs';
import { apiKey, assert, check, client as announce, gateway } from './reporting.mjs';

announce('@anthropic-ai/claude-code');
const MODULES = fileURLToPath(new URL('./node_modules/@anthropic-ai/', import.meta.url));
const PROGRAM = readdirSync(MODULES)
  .map((name) => join(MODULES, name, 'claude'))
  .find((path) => existsSync(path));
const MODEL = 'Claude-Sonnet-4.5';
const MCP = JSON.stringify({ mcpServers: { dictionary: { command: process.execPath, args: [MCP_SERVER, '150'] } } });

async function claude(where, prompt, { model = MODEL, options = [], variables = {} } = {}) {
  const command = [PROGRAM, '-p', '--output-format', 'json', '--dangerously-skip-permissions', ...options];
  const done = await run([...command, '--', prompt], where, {
    ANTHROPIC_BASE_URL: gateway,
    ANTHROPIC_AUTH_TOKEN: apiKey,
    ANTHROPIC_MODEL: model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: 'Claude-Haiku-4.5',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
    DISABLE_AUTOUPDATER: '1',
    IS_SANDBOX: '1',
    ...variables,
  });
  const line = done.out.split('\n').find((text) => text.startsWith('{'));
  assert.ok(line, `${done.status} ${done.err.slice(-400)}`);
  const result = JSON.parse(line);
  assert.equal(result.is_error, false, JSON.stringify(result.result).slice(0, 400));
  return result;
}

await check("claude-of-my-own: becomes a name of one of Poe's models", () => alias('claude-of-my-own', MODEL));

for (const model of [MODEL, 'claude-sonnet-4-5-20250929', 'Assistant', 'claude-of-my-own']) {
  await check(`${model}: an answer, with usage`, async () => {
    const { result, usage } = await claude(place(), '[[say: good day]]', { model });
    assert.equal(result, 'good day');
    assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
  });
}

await check('a command is run, and its result read', async () => {
  const where = place();
  const asked = calling('Bash', { command: 'echo made > made.txt; cat made.txt', description: 'x' });
  const { result, num_turns: turns } = await claude(where, asked);
  assert.match(result, /^The tool said: made/);
  assert.equal(turns, 2);
  assert.equal(readFileSync(join(where.work, 'made.txt'), 'utf8'), 'made\n');
});

await check('a web account: a command is run, and its result read', async () => {
  const where = place();
  const { result } = await claude(where, sayingCall('Bash', 'command', 'read it', { description: 'x' }), { model: 'Puppet' });
  assert.equal(result, 'read it');
  assert.equal(readFileSync(join(where.work, 'made.txt'), 'utf8'), 'made\n');
});

await check('a file is written', async () => {
  const where = place();
  await claude(where, calling('Write', { file_path: join(where.work, 'new.txt'), content: 'hello\n' }));
  assert.equal(readFileSync(join(where.work, 'new.txt'), 'utf8'), 'hello\n');
});

await check('a picture is read', async () => {
  const where = place();
  const { result } = await claude(where, calling('Read', { file_path: join(where.work, 'pixel.png') }));
  assert.match(result, /The tool said/);
});

for (const [name, search] of [['without tool search', 'false'], ['with tool search', 'true']]) {
  await check(`one of 150 tools of an MCP server, ${name}`, async () => {
    const where = place();
    writeFileSync(join(where.work, 'mcp.json'), MCP);
    const options = ['--mcp-config', 'mcp.json', '--strict-mcp-config'];
    const variables = { ENABLE_TOOL_SEARCH: search };
    const call = calling('mcp__dictionary__lookup_149', { word: 'moon' });
    if (search === 'true') {
      // The tools are not sent until they are looked for, and then stay.
      const found = await claude(where, calling('ToolSearch', { query: 'select:mcp__dictionary__lookup_149' }), { options, variables });
      assert.ok(found.num_turns >= 2, JSON.stringify(found.result).slice(0, 300));
      const { result } = await claude(where, call, { options: [...options, '--continue'], variables });
      assert.match(result, /lookup_149 found moon/);
    } else {
      const { result } = await claude(where, call, { options, variables });
      assert.match(result, /lookup_149 found moon/);
    }
  });
}

await check('a long session is resumed', async () => {
  const where = place();
  await claude(where, calling('Bash', { command: 'seq 1 3000', description: 'x' }));
  for (const turn of [1, 2, 3, 4, 5, 6]) {
    const { result } = await claude(where, `[[say: turn ${turn}]]`, { options: ['--continue'] });
    assert.equal(result, `turn ${turn}`);
  }
  const { result } = await claude(where, calling('Bash', { command: 'echo again', description: 'x' }), { options: ['--continue'] });
  assert.match(result, /again/);
});

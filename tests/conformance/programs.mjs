// For the programs that work on files by themselves: a folder and a home of their own, and a look at what they did.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { admin } from './reporting.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const SECONDS = 180;
export const MCP_SERVER = join(HERE, 'mcp_server.mjs');
export const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

// Where a program is run: `home` is its own, `work` has the files that it may change.
export function place() {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const [home, work] = ['home', 'work'].map((name) => join(folder, name));
  for (const path of [home, work]) mkdirSync(path);
  writeFileSync(join(work, 'pixel.png'), PIXEL);
  return { home, work };
}

// What the program printed. It sees nothing of this process's environment but the path.
export function run(command, { work, home }, variables) {
  return new Promise((resolve, reject) => {
    const environment = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', ...variables };
    const child = spawn(command[0], command.slice(1), { cwd: work, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), SECONDS * 1000);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, out, err });
    });
  });
}

// A question that makes a bot of the official simulator call a tool; its answer then repeats the result.
export const calling = (tool, args) => `[[call: ${tool} ${JSON.stringify(args)}]]`;

// The same for a bot of the web simulator, which says what stands in the brackets: a command that prints `said`.
export function sayingCall(tool, field, said, others = {}) {
  const brackets = (text) => text.replaceAll('[', '\\u005b').replaceAll(']', '\\u005d');
  const command = `echo made > made.txt; echo "[[say: ${said}]]"`;
  const call = { name: tool, arguments: { ...others, [field]: command } };
  return `[[say: [${brackets(JSON.stringify(call))}] ]]`;
}

// Lets a name that a program insists on mean one of Poe's.
export async function alias(name, bot) {
  const { aliases } = await admin('GET', '/config/models');
  await admin('PUT', '/config/models', { aliases: { ...aliases, [name]: bot } });
}

import { GATEWAY } from "../lib/api.js";
import { STREAMED } from "../lib/stream.js";

/** What to paste to connect a program. */

const MODEL = "Claude-Sonnet-4.5";

/**
 * @param {string} key
 * @param {string} [named] A model that the key may use.
 * @returns {{ name: string, note?: string, text: string }[]}
 */
export function snippets(key, named) {
  const model = named || MODEL;
  return [
    {
      name: "Shell",
      note: "Every OpenAI and Anthropic SDK reads these.",
      text: [
        `export OPENAI_BASE_URL="${GATEWAY}/v1" OPENAI_API_KEY="${key}"`,
        `export ANTHROPIC_BASE_URL="${GATEWAY}" ANTHROPIC_AUTH_TOKEN="${key}"`,
      ].join("\n"),
    },
    { name: "curl", text: curl(key, model, [{ role: "user", content: "Hello" }]) },
    { name: "Python", note: "pip install openai", text: python(key, model, [{ role: "user", content: "Hello" }]) },
    {
      name: "Node",
      note: "npm install openai",
      text: `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${GATEWAY}/v1", apiKey: "${key}" });
const stream = await client.chat.completions.create({
  model: ${JSON.stringify(model)},
  messages: [{ role: "user", content: "Hello" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");`,
    },
    {
      name: "Claude Code",
      note: "It sends some 20,000 tokens with every step: give the key a budget.",
      text: [
        `export ANTHROPIC_BASE_URL="${GATEWAY}" ANTHROPIC_AUTH_TOKEN="${key}"`,
        "export ANTHROPIC_MODEL=Claude-Sonnet-4.5 ANTHROPIC_SMALL_FAST_MODEL=Claude-Haiku-4.5",
        "claude",
      ].join("\n"),
    },
    {
      name: "Codex",
      note: "In ~/.codex/config.toml, with the key in POE_GATEWAY_KEY.",
      text: `model = ${JSON.stringify(model)}
model_provider = "poe"

[model_providers.poe]
name = "Poe gateway"
base_url = "${GATEWAY}/v1"
env_key = "POE_GATEWAY_KEY"
wire_api = "responses"`,
    },
    {
      name: "Open WebUI",
      note: "Settings, Admin Settings, Connections, OpenAI API: this URL and this key.",
      text: `${GATEWAY}/v1\n${key}`,
    },
  ];
}

/** @param {string} text For a shell, in single quotes. */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The call as a command.
 *
 * @param {string} key
 * @param {string} model
 * @param {{ role: string, content: string }[]} messages
 * @param {Record<string, any>} [options]
 */
export function curl(key, model, messages, options = {}) {
  const body = JSON.stringify({ model, messages, ...options, ...STREAMED });
  return [
    `curl -N ${quoted(`${GATEWAY}/v1/chat/completions`)} \\`,
    `  -H ${quoted(`Authorization: Bearer ${key}`)} -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(body)}`,
  ].join("\n");
}

/**
 * The call as a program.
 *
 * @param {string} key
 * @param {string} model
 * @param {{ role: string, content: string }[]} messages
 * @param {Record<string, any>} [options]
 */
export function python(key, model, messages, options = {}) {
  const given = Object.entries(options).map(([name, value]) => `    ${name}=${JSON.stringify(value)},\n`);
  return `from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(`${GATEWAY}/v1`)}, api_key=${JSON.stringify(key)})
stream = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=${JSON.stringify(messages)},
${given.join("")}    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)`;
}

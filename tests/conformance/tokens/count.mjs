// Counts the corpus's tokens with published tokenizers and writes the numbers next to the texts.
//   npm install && node count.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { countTokens } from "@anthropic-ai/tokenizer";
import { encode as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { encode as o200k } from "gpt-tokenizer/encoding/o200k_base";

const path = new URL("corpus.json", import.meta.url);
const corpus = JSON.parse(readFileSync(path, "utf8")).map(({ name, text }) => ({
  name,
  text,
  o200k: o200k(text).length,
  cl100k: cl100k(text).length,
  claude: countTokens(text),
}));
writeFileSync(path, JSON.stringify(corpus, null, 1) + "\n");

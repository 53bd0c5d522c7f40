// Runs one client call per line of input, and prints what the client made of it: a line of JSON each.
import { createInterface } from "node:readline";

import * as aisdk from "./aisdk.mjs";
import * as anthropic from "./anthropic.mjs";
import * as ollama from "./ollama.mjs";
import * as openai from "./openai.mjs";

const doings = { aisdk, anthropic, ollama, openai };
const clients = Object.fromEntries(
  Object.entries(doings).map(([name, { connect }]) => [name, connect(process.argv[2])]),
);

// The name of the class is what a program catches; `came` is what the client got before it failed.
function told(error, came) {
  const { constructor, message, status, status_code, statusCode, code, requestID } = error;
  return { kind: constructor.name, message, status: status ?? status_code ?? statusCode, code, requestID, came };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { client, doing, asked } = JSON.parse(line);
  const came = [];
  let result;
  try {
    result = { value: await doings[client][doing](clients[client], asked, came) };
  } catch (error) {
    result = { error: told(error, came.join("")) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

// What the npm package `ollama` makes of the relay.
import { Ollama } from "ollama";

export const connect = (url) => new Ollama({ host: url });

export async function models(client) {
  return (await client.list()).models;
}

export async function show(client, { model }) {
  return await client.show({ model });
}

export async function loaded(client) {
  return (await client.ps()).models;
}

function summed(parts) {
  const last = parts.at(-1);
  return {
    text: parts.map((part) => part.message.content).join(""),
    thinking: parts.map((part) => part.message.thinking ?? "").join(""),
    calls: parts
      .flatMap((part) => part.message.tool_calls ?? [])
      .map((call) => [call.function.name, call.function.arguments]),
    finish: last.done_reason,
    tokens: [last.prompt_eval_count, last.eval_count],
  };
}

export async function chat(client, asked, came) {
  if (!asked.stream) return summed([await client.chat(asked)]);
  const parts = [];
  for await (const part of await client.chat(asked)) {
    parts.push(part);
    came.push(part.message.content);
  }
  return summed(parts);
}

// The loop a program writes by hand: results go back by name, as the package has no ids.
export async function toolLoop(client, { results, ...asked }) {
  const first = await client.chat({ ...asked, stream: false });
  const messages = [...asked.messages, first.message];
  for (const call of first.message.tool_calls) {
    const name = call.function.name;
    messages.push({ role: "tool", content: results[name], tool_name: name });
  }
  const second = await client.chat({ ...asked, messages, stream: false });
  return [summed([first]), summed([second])];
}

export async function embed(client, asked) {
  const { embeddings, prompt_eval_count: read } = await client.embed(asked);
  return { vectors: embeddings, tokens: [read, 0] };
}

export async function complete(client, asked, came) {
  const parts = [];
  for await (const part of await client.generate({ ...asked, stream: true })) {
    parts.push(part);
    came.push(part.response);
  }
  const last = parts.at(-1);
  return { text: came.join(""), finish: last.done_reason, tokens: [last.prompt_eval_count, last.eval_count] };
}

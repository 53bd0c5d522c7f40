// What the npm package `@anthropic-ai/sdk` makes of the relay.
import Anthropic from "@anthropic-ai/sdk";

// Without the client's own retries, so that one call is one request.
export const connect = (url) => new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });

function summed({ content, stop_reason: finish, usage }) {
  return {
    text: content.filter((block) => block.type === "text").map((block) => block.text).join(""),
    calls: content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]),
    finish,
    tokens: [usage.input_tokens, usage.output_tokens],
  };
}

// By the package's helper, which adds the events up and is strict about their order.
async function message(client, asked) {
  return await client.messages.stream({ max_tokens: 1000, ...asked }).finalMessage();
}

export async function chat(client, asked) {
  return summed(await message(client, asked));
}

// Asked, called, told, and answered.
export async function toolLoop(client, { results, tools, messages, ...asked }) {
  const declared = tools.map(({ function: { name, description, parameters } }) => ({
    name,
    description,
    input_schema: parameters,
  }));
  const first = await message(client, { ...asked, messages, tools: declared });
  const calls = first.content.filter((block) => block.type === "tool_use");
  const told = calls.map(({ id, name }) => ({ type: "tool_result", tool_use_id: id, content: results[name] }));
  const turns = [...messages, { role: "assistant", content: first.content }, { role: "user", content: told }];
  const answer = summed(await message(client, { ...asked, messages: turns, tools: declared }));
  return { ...answer, called: calls.map(({ name, input }) => [name, input]) };
}

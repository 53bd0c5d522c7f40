// What the npm package `openai` makes of the relay.
import OpenAI from "openai";

// Without the client's own retries, so that one call is one request.
export const connect = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });

export async function models(client) {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model);
  return listed;
}

export async function retrieve(client, { model }) {
  return await client.models.retrieve(model);
}

function summed({ choices: [{ message, finish_reason: finish }], usage }) {
  return {
    text: message.content ?? "",
    calls: (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    finish,
    tokens: [usage?.prompt_tokens, usage?.completion_tokens],
  };
}

// Whole, or by the package's helper, which checks each chunk and adds them up.
export async function chat(client, { stream, ...asked }) {
  if (!stream) return summed(await client.chat.completions.create(asked));
  const helper = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
  return summed(await helper.finalChatCompletion());
}

// Chunk by chunk, as most programs read.
export async function chunks(client, asked, came) {
  const thought = [];
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
    came.push(chunk.choices[0].delta.content ?? "");
    thought.push(chunk.choices[0].delta.reasoning_content ?? "");
  }
  return { text: came.join(""), thinking: thought.join("") };
}

// The package runs the tools itself and asks again until there is an answer.
export async function toolLoop(client, { stream, results, tools, ...asked }) {
  const called = [];
  const runnable = tools.map((tool) => ({
    type: "function",
    function: {
      ...tool.function,
      parse: JSON.parse,
      function: (given) => {
        called.push([tool.function.name, given]);
        return results[tool.function.name];
      },
    },
  }));
  const options = stream ? { stream, stream_options: { include_usage: true } } : {};
  const runner = client.chat.completions.runTools({ ...asked, ...options, tools: runnable });
  const text = await runner.finalContent();
  const { prompt_tokens: read, completion_tokens: written } = await runner.totalUsage();
  return { text, called, tokens: [read, written] };
}

// Without a format the package asks for base64 and makes numbers of it.
export async function embed(client, asked) {
  const { data, usage } = await client.embeddings.create(asked);
  return { vectors: data.map((entry) => Array.from(entry.embedding)), tokens: [usage.prompt_tokens, 0] };
}

export async function complete(client, asked, came) {
  const options = { stream: true, stream_options: { include_usage: true } };
  let finish, usage;
  for await (const chunk of await client.completions.create({ ...asked, ...options })) {
    came.push(chunk.choices[0]?.text ?? "");
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { text: came.join(""), finish, tokens: [usage.prompt_tokens, usage.completion_tokens] };
}

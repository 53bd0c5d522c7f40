// What the AI SDK of Vercel makes of the relay, by its package for compatible servers.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { jsonSchema, stepCountIs, streamText, tool } from "ai";

export const connect = (url) =>
  createOpenAICompatible({
    name: "relay",
    baseURL: `${url}/v1`,
    apiKey: "none",
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

// The package tells of an error as a part of its stream; here it is thrown, as a program would.
async function summed(result, came) {
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") came.push(part.text);
  }
  const usage = await result.totalUsage;
  return {
    text: came.join(""),
    thinking: (await result.reasoningText) ?? "",
    finish: await result.finishReason,
    tokens: [usage.inputTokens, usage.outputTokens],
  };
}

// Without the package's own retries, so that one call is one request.
const asking = (provider, { model, ...asked }) => ({
  ...asked,
  model: provider(model),
  maxRetries: 0,
  onError: () => {},
});

export async function chat(provider, asked, came) {
  return await summed(streamText(asking(provider, asked)), came);
}

// The package runs the tools itself and asks again until there is an answer.
export async function toolLoop(provider, { results, tools, ...asked }, came) {
  const called = [];
  const runnable = tools.map(({ function: { name, description, parameters } }) => [
    name,
    tool({
      description,
      inputSchema: jsonSchema(parameters),
      execute: (given) => {
        called.push([name, given]);
        return results[name];
      },
    }),
  ]);
  const options = { tools: Object.fromEntries(runnable), stopWhen: stepCountIs(3) };
  return { ...(await summed(streamText({ ...asking(provider, asked), ...options }), came)), called };
}

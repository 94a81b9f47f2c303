// Calls of the Vercel AI SDK, as its users write them; prints what each gave as one JSON object.
//
//   node calls.mjs URL KEY MODEL (anthropic|openai|responses)
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [url, key, name, face] = process.argv.slice(2);
const models = {
  anthropic: () => createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(name),
  openai: () => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat(name),
  responses: () => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses(name),
};
const common = { model: models[face](), maxRetries: 0, maxOutputTokens: 999 };

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string(), days: z.array(z.number().int()).optional() }),
  execute: async ({ city }) => `sun in ${city}`,
});

async function text() {
  const answer = await generateText({ ...common, system: "be brief", prompt: "hello" });
  return { text: answer.text, finish: answer.finishReason, usage: answer.usage };
}

async function stream() {
  const answer = streamText({ ...common, prompt: "say [[words 5]]" });
  const pieces = [];
  for await (const piece of answer.textStream) pieces.push(piece);
  return { text: pieces.join(""), pieces: pieces.length, finish: await answer.finishReason, usage: await answer.usage };
}

async function tools() {
  const answer = await generateText({
    ...common,
    tools: { weather },
    stopWhen: stepCountIs(3),
    prompt: '[[tool weather {"city": "Wien", "days": [1, 2]}]] [[tool weather {"city": "Graz"}]]',
  });
  return { text: answer.text, inputs: answer.steps[0].toolCalls.map((call) => call.input), steps: answer.steps.length };
}

async function streamedTools() {
  const answer = streamText({
    ...common,
    tools: { weather },
    stopWhen: stepCountIs(3),
    prompt: '[[tool weather {"city": "Wien"}]]',
  });
  const kinds = new Set();
  for await (const part of answer.fullStream) kinds.add(part.type);
  return { text: await answer.text, kinds: [...kinds] };
}

async function object() {
  const schema = z.object({ city: z.string(), sunny: z.boolean() });
  const answer = await generateObject({ ...common, schema, prompt: "hello" });
  return answer.object;
}

async function picture() {
  const image = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const content = [{ type: "text", text: "what is it" }, { type: "image", image, mediaType: "image/png" }];
  const answer = await generateText({ ...common, messages: [{ role: "user", content }] });
  return { text: answer.text };
}

async function failure() {
  try {
    await generateText({ ...common, prompt: "[[status 429]] hello" });
  } catch (error) {
    return { known: APICallError.isInstance(error), status: error.statusCode, retryable: error.isRetryable };
  }
}

const found = {};
for (const call of [text, stream, tools, streamedTools, object, picture, failure]) {
  try {
    found[call.name] = await call();
  } catch (error) {
    found[call.name] = { problem: String(error), body: error?.responseBody };
  }
}
process.stdout.write(JSON.stringify(found));

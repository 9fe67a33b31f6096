import { z } from 'zod';
import { maybe, refused } from '../api/fields.js';
import { wrongParameter } from '../http/http-error.js';

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const content = z.union([z.string(), z.array(textPart)], {
  error: 'expected a text, or parts of type "text": the models served here read no other',
});
const name = maybe(z.string().max(200));

const toolCall = z.strictObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
});

/** The messages of a conversation. */
export const messagesSchema = z
  .array(
    z.discriminatedUnion('role', [
      z.strictObject({ role: z.enum(['system', 'developer', 'user']), content, name }),
      z.strictObject({
        role: z.literal('assistant'),
        content: maybe(content),
        name,
        tool_calls: maybe(z.array(toolCall).max(128)),
        refusal: refused('no model here knows refusals'),
        audio: refused('no model here hears'),
        function_call: refused('it is called tool_calls now'),
      }),
      z.strictObject({ role: z.literal('tool'), content, tool_call_id: z.string(), name }),
    ]),
  )
  .min(1)
  .max(4096);

/**
 * Messages as templates read them: the text of their parts in one, the arguments of calls as objects.
 *
 * @throws HttpError 400 where the arguments of a call are no JSON object
 */
export function templateMessages(messages: z.output<typeof messagesSchema>): object[] {
  return messages.map((message, i) => {
    const text = message.content === undefined ? '' : textOf(message.content);
    const role = message.role === 'developer' ? 'system' : message.role;
    const plain = { role, content: text, ...(message.name !== undefined && { name: message.name }) };
    if (message.role === 'tool') return { ...plain, tool_call_id: message.tool_call_id };
    if (message.role !== 'assistant') return plain;
    if (message.tool_calls === undefined) {
      if (message.content === undefined)
        throw wrongParameter(`messages[${i}].content`, `messages[${i}] says nothing: expected content or tool_calls.`);
      return plain;
    }
    const calls = message.tool_calls.map((call, j) => ({
      ...call,
      function: {
        ...call.function,
        arguments: argumentsOf(call.function.arguments, `messages[${i}].tool_calls[${j}]`),
      },
    }));
    return { ...plain, tool_calls: calls };
  });
}

function textOf(value: string | readonly { readonly text: string }[]): string {
  return typeof value === 'string' ? value : value.map(({ text }) => text).join('');
}

function argumentsOf(text: string, where: string): object {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below.
  }
  const param = `${where}.function.arguments`;
  throw wrongParameter(param, `${param}: expected a JSON object in a text, such as "{\\"city\\":\\"Bern\\"}".`);
}

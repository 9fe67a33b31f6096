/** A message of a conversation, with whatever else its template reads, such as `tool_calls`. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly [key: string]: unknown;
}

/** A conversation, of which the turns of the assistant are learned. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** The first message that may be learned; those before it are a prompt. */
  readonly from: number;
  /** What the assistant may call, as its template reads it. */
  readonly tools?: readonly unknown[] | undefined;
}

/** A text whose end is learned; of a plain text all is. */
export interface Completion {
  readonly prompt: string;
  readonly completion: string;
}

/** What one side of a row is. */
export type ChatText = Conversation | Completion;

/** A row, in the one form that everything after it knows. */
export interface ChatRow {
  /** How it was written. */
  readonly form:
    | 'messages'
    | 'ShareGPT'
    | 'Alpaca'
    | 'prompt and completion'
    | 'preference'
    | 'source and target'
    | 'text';
  /** What is learned; of a preference the one chosen. */
  readonly learned: ChatText;
  /** Of a preference: the other. */
  readonly rejected?: ChatText;
}

/** The forms of rows, for messages. */
export const ROW_FORMS =
  'messages (a list of { role, content }), conversations (of { from, value }), instruction with output (and input), ' +
  'prompt with completion, chosen with rejected (and prompt), or text';

/** Forms of what an encoder-decoder learns, for messages. */
export const SOURCE_FORMS =
  'source with target, instruction with output (and input), input with output, text with summary, or prompt with completion';

/** Who speaks, by the names that files give them. */
const ROLES: Readonly<Record<string, ChatMessage['role']>> = {
  system: 'system',
  developer: 'developer',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  model: 'assistant',
  bot: 'assistant',
  function_call: 'assistant',
  tool: 'tool',
  function: 'tool',
  function_response: 'tool',
  observation: 'tool',
};

type Fields = Readonly<Record<string, unknown>>;

/** Thrown with what is wrong, without the row's place. */
class RowFault extends Error {}

/**
 * Recognises a row by what it holds.
 *
 * @returns the row, or what is wrong with it
 */
export function parseRow(value: unknown): ChatRow | { readonly fault: string } {
  return parsedBy(recognise, value);
}

/**
 * Recognises what an encoder-decoder learns of a row: a source, here the prompt, and its target, the completion.
 *
 * @returns the row, or what is wrong with it
 */
export function parseSourceRow(value: unknown): ChatRow | { readonly fault: string } {
  return parsedBy(recogniseSource, value);
}

function parsedBy(read: (row: Fields) => ChatRow, value: unknown): ChatRow | { readonly fault: string } {
  try {
    if (!isFields(value)) throw new RowFault(`expected a JSON object, got ${kindOf(value)}`);
    // A table has a null where a row has no value.
    return read(Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null)));
  } catch (error) {
    if (error instanceof RowFault) return { fault: error.message };
    throw error;
  }
}

function recognise(row: Fields): ChatRow {
  const tools = toolsOf(row);
  if (row.chosen !== undefined && row.rejected !== undefined) {
    const [learned, rejected] = ['chosen', 'rejected'].map((side) => answered(row, side, tools));
    return { form: 'preference', learned: learned!, rejected: rejected! };
  }
  if (row.messages !== undefined) return { form: 'messages', learned: conversation(row, 'messages', tools) };
  if (row.conversations !== undefined) {
    const learned = conversation(row, 'conversations', tools);
    if (typeof row.system !== 'string' || learned.messages[0]!.role === 'system') return { form: 'ShareGPT', learned };
    const messages = [{ role: 'system', content: row.system } as const, ...learned.messages];
    return { form: 'ShareGPT', learned: { ...learned, messages } };
  }
  if (row.instruction !== undefined && row.output !== undefined) return { form: 'Alpaca', learned: alpaca(row) };
  if (row.prompt !== undefined && row.completion !== undefined)
    return { form: 'prompt and completion', learned: answered(row, 'completion', tools) };
  if (row.text !== undefined)
    return { form: 'text', learned: { prompt: '', completion: requireText(row.text, 'text') } };
  throw unknownForm(ROW_FORMS, row);
}

/** The fields of a source and its target, by what files call them. */
const SOURCES = [
  ['source', 'target'],
  ['input', 'output'],
  ['text', 'summary'],
  ['prompt', 'completion'],
] as const;

function recogniseSource(row: Fields): ChatRow {
  const form = 'source and target';
  // A question with its own input would else be taken for the input alone.
  if (row.instruction !== undefined && row.output !== undefined) {
    const [question, input] = [requireText(row.instruction, 'instruction'), requireText(row.input ?? '', 'input')];
    const prompt = input === '' ? question : `${question}\n\n${input}`;
    return { form, learned: { prompt, completion: requireText(row.output, 'output') } };
  }
  const names = SOURCES.find(([source, target]) => row[source] !== undefined && row[target] !== undefined);
  if (names === undefined) throw unknownForm(SOURCE_FORMS, row);
  const [prompt, completion] = names.map((name) => requireText(row[name], name)) as [string, string];
  return { form, learned: { prompt, completion } };
}

function unknownForm(forms: string, row: Fields): RowFault {
  return new RowFault(`expected ${forms}; it has ${Object.keys(row).slice(0, 12).join(', ') || 'no field'}`);
}

/** An answer, to the row's prompt where it has one: texts both, or messages both. */
function answered(row: Fields, side: string, tools: readonly unknown[] | undefined): ChatText {
  const { prompt } = row;
  if (typeof row[side] === 'string' && (prompt === undefined || typeof prompt === 'string'))
    return { prompt: prompt ?? '', completion: row[side] };
  const asks = prompt === undefined ? [] : messagesOf(prompt, 'prompt', 'user');
  const answers = messagesOf(row[side], side, 'assistant');
  // Without a prompt both sides begin with it.
  return { messages: [...asks, ...answers], from: prompt === undefined ? 0 : asks.length, tools };
}

function conversation(row: Fields, key: string, tools: readonly unknown[] | undefined): Conversation {
  return { messages: messagesOf(row[key], key), from: 0, tools };
}

function alpaca(row: Fields): Conversation {
  const instruction = requireText(row.instruction, 'instruction');
  const input = row.input === undefined ? '' : requireText(row.input, 'input');
  const system = typeof row.system === 'string' && row.system !== '' ? [message('system', row.system)] : [];
  const asked = message('user', input === '' ? instruction : `${instruction}\n\n${input}`);
  const messages = [...system, asked, message('assistant', requireText(row.output, 'output'))];
  return { messages, from: 0 };
}

const message = (role: ChatMessage['role'], content: string): ChatMessage => ({ role, content });

/** @param instead who speaks where a text stands for one message */
function messagesOf(value: unknown, key: string, instead?: ChatMessage['role']): ChatMessage[] {
  const list = instead !== undefined && typeof value === 'string' ? [message(instead, value)] : parsedList(value);
  if (!Array.isArray(list)) throw new RowFault(`expected ${key} to be a list of messages, got ${kindOf(value)}`);
  if (list.length === 0) throw new RowFault(`expected ${key} to hold a message or more, got none`);
  return list.map((one, i) => messageOf(one, `${key}[${i}]`));
}

function messageOf(value: unknown, where: string): ChatMessage {
  if (!isFields(value)) throw new RowFault(`expected ${where} to be { role, content }, got ${kindOf(value)}`);
  const { role, from, content, value: said, ...others } = value;
  const name = role ?? from;
  const known = typeof name === 'string' && Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (known === undefined)
    throw new RowFault(
      `expected the role of ${where} to be one of system, user, assistant, tool, got ${JSON.stringify(name) ?? 'none'}`,
    );
  const more = Object.fromEntries(Object.entries(others).filter(([, field]) => field !== null));
  const text = content ?? said ?? (more.tool_calls === undefined ? undefined : '');
  return { role: known, content: textOf(text, where), ...more };
}

/** A text, or parts that are texts all. */
function textOf(content: unknown, where: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content))
    throw new RowFault(`expected the content of ${where} to be text, got ${kindOf(content)}`);
  return content
    .map((part: unknown) => {
      if (typeof part === 'string') return part;
      if (isFields(part) && (part.type ?? 'text') === 'text' && typeof part.text === 'string') return part.text;
      throw new RowFault(
        `expected the parts of ${where} to be text, got ${isFields(part) ? `one of type ${JSON.stringify(part.type)}` : kindOf(part)}`,
      );
    })
    .join('');
}

function toolsOf({ tools }: Fields): readonly unknown[] | undefined {
  if (tools === undefined || tools === '') return undefined;
  const list = parsedList(tools);
  if (!Array.isArray(list)) throw new RowFault(`expected tools to be a list, got ${kindOf(tools)}`);
  return list.length === 0 ? undefined : list;
}

/** Tables often hold lists as JSON in a text. */
function parsedList(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function requireText(value: unknown, key: string): string {
  if (typeof value === 'string') return value;
  throw new RowFault(`expected ${key} to be text, got ${kindOf(value)}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

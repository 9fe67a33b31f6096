/** A prompt and what follows it, which was found out while nobody else asked. */
export interface SoakCase {
  /** Half of them are conversations. */
  readonly path: '/v1/completions' | '/v1/chat/completions';
  readonly body: Readonly<Record<string, unknown>>;
  readonly answer: string;
}

/** Every text is sampled with this seed, so that answers differ by what was read alone. */
const SEED = 7;
const TEMPERATURE = 0.8;
/** A case counts when this much more or less of temperature writes the same: sums are rounded by far less. */
const SLACK = 1e-3;

/**
 * Cases of a model that is served: prompts of different beginnings and one end, each with an answer that no other has.
 *
 * @param text what prompts are cut from
 */
export async function soakCases(url: string, text: string, count: number): Promise<SoakCase[]> {
  const cases: SoakCase[] = [];
  const answers = new Set<string>();
  for (let i = 0; cases.length < count; i++) {
    if (i === 6 * count) throw new Error(`Only ${cases.length} of ${i} prompts have an answer of their own.`);
    const length = 8 + ((i * 31) % 72);
    const from = (i * 1009) % (text.length - length);
    const prompt = `${text.slice(from, from + length).trim()} the`;
    const chat = i % 2 === 1;
    const path = chat ? '/v1/chat/completions' : '/v1/completions';
    const given = chat ? { messages: [{ role: 'user', content: prompt }] } : { prompt };
    const body = { ...given, max_tokens: 6 + ((i * 7) % 11), seed: SEED, ignore_eos: true };
    const write = (temperature: number) => ask(url + path, { ...body, temperature });
    const answer = await write(TEMPERATURE);
    if (answers.has(answer)) continue;
    const near = [1 - SLACK, 1 + SLACK].map((factor) => write(TEMPERATURE * factor));
    if ((await Promise.all(near)).some((each) => each !== answer)) continue;
    answers.add(answer);
    cases.push({ path, body: { ...body, temperature: TEMPERATURE }, answer });
  }
  return cases;
}

async function ask(url: string, body: object): Promise<string> {
  return textOf(await (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).text());
}

interface Choice {
  readonly text?: string;
  readonly message?: { readonly content: string };
  readonly delta?: { readonly content?: string };
}

/**
 * The text of a whole answer, or of a stream.
 *
 * @throws Error where it is none, or a stream has not come to its end
 */
export function textOf(body: string): string {
  const stream = body.startsWith('data: ') || body.startsWith(': ');
  if (stream && !body.endsWith('data: [DONE]\n\n')) throw new Error(`The stream has no end: ${body.slice(-200)}`);
  const parts = stream ? body.split('\n\n').filter((part) => part.startsWith('data: {')) : [`data: ${body}`];
  return parts
    .map((part) => {
      const { choices } = JSON.parse(part.slice(6)) as { choices?: readonly Choice[] };
      if (choices === undefined) throw new Error(`The server answers ${part.slice(0, 500)}`);
      const [choice] = choices;
      return choice?.text ?? choice?.message?.content ?? choice?.delta?.content ?? '';
    })
    .join('');
}

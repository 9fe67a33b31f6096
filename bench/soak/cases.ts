/** A prompt and what follows it, which was found out while nobody else asked. */
export interface SoakCase {
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
    const body = { prompt, max_tokens: 6 + ((i * 7) % 11), seed: SEED, ignore_eos: true };
    const answer = await write(url, { ...body, temperature: TEMPERATURE });
    if (answers.has(answer)) continue;
    const near = [1 - SLACK, 1 + SLACK].map((factor) => write(url, { ...body, temperature: TEMPERATURE * factor }));
    if ((await Promise.all(near)).some((each) => each !== answer)) continue;
    answers.add(answer);
    cases.push({ body: { ...body, temperature: TEMPERATURE }, answer });
  }
  return cases;
}

async function write(url: string, body: object): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, { method: 'POST', body: JSON.stringify(body) });
  const { choices, error } = (await response.json()) as { choices?: { text: string }[]; error?: { message: string } };
  if (choices === undefined) throw new Error(error?.message);
  return choices[0]!.text;
}

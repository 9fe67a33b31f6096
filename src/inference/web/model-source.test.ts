import { afterEach, describe, expect, it, vi } from 'vitest';
import { modelSource, readFileOf, readObject, readText } from './model-source.js';

afterEach(() => vi.unstubAllGlobals());

/** Answers by URL; others are not there. */
function stubFetch(answers: Readonly<Record<string, Response | Error>>) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    const answer = answers[url] ?? new Response('', { status: 404 });
    if (answer instanceof Error) throw answer;
    return answer;
  });
  return asked;
}

describe('modelSource of a URL', () => {
  it.each(['http://host/a/book', 'http://host/a/book/', new URL('http://host/a/book')])(
    'reads below %s',
    async (url) => {
      const asked = stubFetch({ 'http://host/a/book/config.json': new Response('{"a":1}') });
      const source = modelSource(url);
      expect(await readObject(source, 'config.json')).toEqual({ a: 1 });
      expect(await readText(source, 'tokenizer.json')).toBeUndefined();
      expect(asked).toEqual(['http://host/a/book/config.json', 'http://host/a/book/tokenizer.json']);
      await expect(readFileOf(source, 'model.safetensors')).rejects.toThrow(
        'http://host/a/book has no model.safetensors. A model needs',
      );
    },
  );

  it('is relative to the page', async () => {
    vi.stubGlobal('location', { href: 'http://host/pages/index.html' });
    const asked = stubFetch({});
    await modelSource('../models/book').read('config.json');
    expect(asked).toEqual(['http://host/models/book/config.json']);
  });

  it('says what a server or the network does not give', async () => {
    stubFetch({
      'http://host/config.json': new Response('', { status: 403 }),
      'http://host/tokenizer.json': new TypeError('Failed to fetch'),
    });
    const source = modelSource('http://host');
    await expect(source.read('config.json')).rejects.toThrow(
      'Cannot fetch http://host/config.json: its server answers 403. The address must answer',
    );
    await expect(source.read('tokenizer.json')).rejects.toThrow('http://host/tokenizer.json: Failed to fetch. ');
  });

  it('refuses what is no URL, or no place at all', () => {
    expect(() => modelSource('book')).toThrow('expected the URL of a folder');
    expect(() => modelSource(7 as never)).toThrow('expected the URL of its folder, or its files by their names, got 7');
  });
});

describe('modelSource of files', () => {
  it('takes text, bytes and blobs', async () => {
    const bytes = new TextEncoder().encode('{}');
    const source = modelSource({
      a: '{}',
      b: bytes,
      c: Uint8Array.from(bytes).buffer,
      d: new Blob([bytes]),
      e: 7 as never,
    });
    for (const name of ['a', 'b', 'c', 'd']) expect(await readObject(source, name)).toEqual({});
    expect(await source.read('toString')).toBeUndefined();
    await expect(source.read('e')).rejects.toThrow('expected e as a Blob, bytes or text, got number');
  });

  it('says which file is damaged', async () => {
    const source = modelSource({ 'config.json': '{', 'generation_config.json': '[]' });
    await expect(readObject(source, 'config.json')).rejects.toThrow('the model: config.json is damaged: expected JSON');
    await expect(readObject(source, 'generation_config.json')).rejects.toThrow('expected a JSON object');
  });
});

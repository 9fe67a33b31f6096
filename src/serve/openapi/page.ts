type Fields = Readonly<Record<string, unknown>>;

/** The page of an API's document: whole in itself, so that it works without a network, and without a script. */
export function openApiPage(document: Fields): string {
  const { info, paths } = document as { info: { title: string; version: string }; paths: Record<string, Fields> };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method, path, operation as Fields)),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)} API</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8885; border-radius: 6px; margin: .5rem 0; padding: .5rem 1rem; }
summary { cursor: pointer; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .75rem; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid #8883; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 600; text-transform: uppercase; }
</style>
</head>
<body>
<h1>${escaped(info.title)} <small>${escaped(info.version)}</small></h1>
<p>The same for programs: <a href="/openapi.json">/openapi.json</a>.</p>
${operations.join('\n')}
</body>
</html>
`;
}

function section(method: string, path: string, operation: Fields): string {
  const body = operation.requestBody as { content: Record<string, { schema: Fields }> } | undefined;
  const schema = body?.content['application/json']?.schema;
  const { responses } = operation as { responses: Record<string, { content: Record<string, { schema: Fields }> }> };
  const answers = Object.entries(responses[200]?.content ?? {});
  return `<details>
<summary><span class="method">${escaped(method)}</span> <code>${escaped(path)}</code> ${escaped(String(operation.summary))}</summary>
${operation.description === undefined ? '' : `<p>${escaped(String(operation.description))}</p>`}
${schema === undefined ? '' : parameters(schema)}
${answers.map(([type, { schema }]) => `<p>Answer, <code>${escaped(type)}</code></p><pre>${escaped(JSON.stringify(schema, null, 2))}</pre>`).join('\n')}
</details>`;
}

function parameters(schema: Fields): string {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, Fields>; required?: string[] };
  const rows = Object.entries(properties).map(
    ([name, property]) =>
      `<tr><td><code>${escaped(name)}</code>${required.includes(name) ? ' *' : ''}</td><td>${escaped(kindOf(property))}</td><td>${escaped(String(property.description ?? ''))}</td></tr>`,
  );
  return `<table><tr><th>Parameter</th><th>Type</th><th></th></tr>\n${rows.join('\n')}\n</table>`;
}

/** A schema in a few words. */
function kindOf({ type, enum: values, const: only, anyOf, oneOf, items, minimum, maximum }: Fields): string {
  const many = (anyOf ?? oneOf) as Fields[] | undefined;
  if (many !== undefined) return [...new Set(many.map(kindOf))].filter((kind) => kind !== 'null').join(' or ');
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(' or ');
  if (only !== undefined) return JSON.stringify(only);
  if (type === 'array') return `list of ${kindOf((items ?? {}) as Fields)}`;
  const bounds = [minimum, maximum].filter((bound) => bound !== undefined && Math.abs(Number(bound)) < 2 ** 31 - 1);
  return `${type ?? ''}${bounds.length === 2 ? ` from ${bounds.join(' to ')}` : ''}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

import { STATUS_CODES } from 'node:http';

export interface ErrorBody {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The body of an error in the form that the client accepts.
 * Glance: nothing asked is plain text, anything asked is HTML unless JSON is preferred; clients strip tags line by line.
 */
export function errorBody(accept: string | undefined, status: number, explanation: string): ErrorBody {
  const title = STATUS_CODES[status] ?? 'Error';
  const line = `${status} ${title}`;
  switch (preferred(accept)) {
    case 'json':
      return {
        contentType: 'application/json; charset=UTF-8',
        text: JSON.stringify({ message: explanation, code: line, title }),
      };
    case 'html':
      return {
        contentType: 'text/html; charset=UTF-8',
        text: [
          '<html>',
          ` <head><title>${line}</title></head>`,
          ' <body>',
          `  <h1>${line}</h1>`,
          `  ${escapeHtml(explanation)}`,
          ' </body>',
          '</html>',
          '',
        ].join('\n'),
      };
    case 'plain':
      return { contentType: 'text/plain; charset=UTF-8', text: `${line}\n\n${explanation}\n` };
  }
}

const offers = [
  { form: 'html', type: 'text', subtype: 'html' },
  { form: 'json', type: 'application', subtype: 'json' },
] as const;

function preferred(accept: string | undefined): 'html' | 'json' | 'plain' {
  if (!accept) return 'plain';
  const ranges = accept.split(',').map(parseRange);
  let best: { form: 'html' | 'json'; quality: number } | undefined;
  for (const { form, type, subtype } of offers) {
    const matching = ranges
      .map((range) => ({ quality: range.quality, specificity: specificity(range, type, subtype) }))
      .filter((range) => range.specificity > 0)
      .sort((a, b) => b.specificity - a.specificity);
    const quality = matching[0]?.quality ?? 0;
    if (quality > (best?.quality ?? 0)) best = { form, quality };
  }
  return best?.form ?? 'plain';
}

interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const [type = '', subtype = ''] = range.split('/');
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  return { type, subtype, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 };
}

function specificity(range: MediaRange, type: string, subtype: string): number {
  if (range.type === type) return range.subtype === subtype ? 3 : range.subtype === '*' ? 2 : 0;
  return range.type === '*' && range.subtype === '*' ? 1 : 0;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

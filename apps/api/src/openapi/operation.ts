/** One thing that the API does. */
export interface Operation {
  /** `GET /v2/images/{id}` */
  readonly route: string;
  /** Under which heading it stands. */
  readonly tag: string;
  readonly summary: string;
  /** What may stand behind `?`, and what it means. */
  readonly query?: Readonly<Record<string, string>>;
  /** Headers of the request that matter, beside the token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body of the request, by its media type: a component, or null for bytes. */
  readonly body?: Readonly<Record<string, string | null>>;
  /**
   * What comes of it, by status: a component; `bytes`, `text`; null for an empty answer. Every operation can also be
   * refused.
   */
  readonly answers: Readonly<Record<number, string | null>>;
}

/** A request whose body is JSON. */
export function jsonOf(component: string): Readonly<Record<string, string>> {
  return { 'application/json': component };
}

/** What every paged list takes. */
export const paging: Readonly<Record<string, string>> = {
  limit: 'How many at most.',
  marker: 'The last of the page before.',
  sort_key: 'What to sort by.',
  sort_dir: 'asc or desc.',
};

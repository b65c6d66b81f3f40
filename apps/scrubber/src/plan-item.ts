import { pendingKinds, ServiceError } from '@glance/domain';

/**
 * What a plan can be about: pending work; an `orphan`, which a store has and no row refers to; a `leftover`, the same of the
 * staging area; `cached`, what an image cache has of a dead image; `missing`, a location whose data is not there; `trash`,
 * which a deletion had to keep for others.
 */
const planKinds = [...pendingKinds, 'orphan', 'leftover', 'cached', 'missing', 'trash'] as const;

/** One line of a plan. */
export interface PlanItem {
  readonly kind: (typeof planKinds)[number];
  /** What it is to whoever applies the plan. */
  readonly key: string;
  readonly image: string;
  readonly store: string | null;
  /** As far as they are known. */
  readonly bytes: number | null;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly since: string;
  /** A sentence. */
  readonly why: string;
  /** Of what is left in a place: in how many pieces. */
  readonly objects?: number;
}

/** The first line of a plan. */
export interface PlanHeader {
  readonly plan: 1;
  readonly made: string;
  /** Seconds: what is younger is left alone. */
  readonly grace: number;
}

/** `YYYY-MM-DDTHH:MM:SSZ`. */
export const timeOf = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** The header of a plan that is made now; `grace` in seconds. */
export const newHeader = (grace: number): PlanHeader => ({ plan: 1, made: timeOf(Date.now()), grace });

/** Milliseconds of the epoch: what was changed later is left alone. */
export const idleSinceOf = ({ made, grace }: PlanHeader): number => Date.parse(made) - grace * 1000;

/** The header of a plan; `Invalid` if this is none. */
export function parseHeader(line: string | undefined): PlanHeader {
  const header = json(line ?? '') as Partial<PlanHeader> | null;
  const time = Date.parse(String(header?.made));
  if (header?.plan === 1 && !Number.isNaN(time) && Number.isInteger(header.grace)) return header as PlanHeader;
  throw new ServiceError('Invalid', 'This is not a plan: make one with `glance-scrubber plan --json`.');
}

/** An item of a plan; `Invalid`, with the number of the line, if it is none. */
export function parseItem(line: string, number: number): PlanItem {
  const item = json(line) as Partial<PlanItem> | null;
  const texts = [item?.key, item?.image, item?.since];
  const known = planKinds.some((kind) => kind === item?.kind);
  const place = item?.store === null || typeof item?.store === 'string';
  const bytes = item?.bytes === null || Number.isSafeInteger(item?.bytes);
  if (known && place && bytes && texts.every((text) => typeof text === 'string')) return item as PlanItem;
  throw new ServiceError('Invalid', `Line ${number} of the plan is not one of its items.`);
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

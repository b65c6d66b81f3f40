import type { Caller, ImageQuery } from '@glance/domain';
import type { Rights } from '../authorization/authorization.js';
import type { Dialect } from '../database/dialect.js';
import type { SqlValue } from '../database/session.js';

/** A piece of a WHERE clause about the image `i`. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const always: Condition = { sql: '1 = 1', values: [] };
const never: Condition = { sql: '1 = 0', values: [] };
const is = (...visibilities: string[]): Condition => ({
  sql: `i.visibility IN (${visibilities.map(() => '?').join(', ')})`,
  values: visibilities,
});

function join(operator: 'AND' | 'OR', conditions: readonly Condition[]): Condition {
  return {
    sql: `(${conditions.map((condition) => condition.sql).join(` ${operator} `)})`,
    values: conditions.flatMap((condition) => condition.values),
  };
}

export const both = (...conditions: Condition[]): Condition => join('AND', conditions);
const either = (...conditions: Condition[]): Condition => join('OR', conditions);

/** Nobody owns the images of nobody. */
function owned(dialect: Dialect, { projectId }: Caller): Condition {
  // The first half finds rows by index, the second is exact.
  const sql = `(i.owner = ? AND ${dialect.exactly('i.owner')} = ?)`;
  return projectId === null ? never : { sql, values: [projectId, projectId] };
}

function sharedWith(dialect: Dialect, caller: Caller, status: ImageQuery['memberStatus']): Condition {
  const filter = status === 'all' || status === undefined ? '' : ' AND m.status = ?';
  return {
    sql:
      "(i.visibility = 'shared' AND i.id IN (SELECT m.image_id FROM image_members m WHERE m.member = ?" +
      ` AND ${dialect.exactly('m.member')} = ? AND m.deleted + 0 = 0${filter}))`,
    values: [caller.projectId, caller.projectId, ...(filter === '' ? [] : [status as string])],
  };
}

/** What the caller may know of, by id. */
export function visible(dialect: Dialect, { caller, isAdmin }: Rights): Condition {
  if (isAdmin) return always;
  if (caller.anonymous) return is('public');
  return either(is('public', 'community'), owned(dialect, caller), sharedWith(dialect, caller, 'all'));
}

/**
 * What a list shows to the caller: less than `visible`, unless it asks for more. An image is shown if one of the conditions
 * holds; each by itself can be answered by an index, which all of them together cannot.
 */
export function listed(
  dialect: Dialect,
  { caller, isAdmin: admin }: Rights,
  query: Pick<ImageQuery, 'visibility' | 'memberStatus'>,
): readonly Condition[] {
  const { visibility } = query;
  if (caller.anonymous) return [undefined, 'all', 'public'].includes(visibility) ? [is('public')] : [never];
  const own = owned(dialect, caller);
  const shared = sharedWith(dialect, caller, query.memberStatus ?? 'accepted');
  switch (visibility) {
    case undefined:
      // Glance: images of the community are found by those who look for them.
      return admin ? [either({ sql: "i.visibility <> 'community'", values: [] }, own)] : [is('public'), own, shared];
    case 'all':
      return admin ? [always] : [is('public'), is('community'), own, shared];
    case 'private':
      return [admin ? is('private') : both(is('private'), own)];
    case 'shared':
      return admin ? [is('shared')] : [both(is('shared'), own), shared];
    default:
      return [is(visibility)];
  }
}

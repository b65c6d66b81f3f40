import { type Caller, type JsonObject, ServiceError, type Task, type TaskQuery, type TaskStatus } from '@glance/domain';
import { wireTime } from '../database/dialect.js';
import type { SqlValue, Statements } from '../database/session.js';
import type { Source } from '../images/find-image.js';
import { insert } from '../images/image-writes.js';

interface TaskRecord {
  readonly id: string;
  readonly type: Task['type'];
  readonly status: TaskStatus;
  readonly owner: string;
  readonly image_id: string | null;
  readonly request_id: string | null;
  readonly user_id: string | null;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly expires_at: string | null;
  readonly input?: string | null;
  readonly result?: string | null;
  readonly message?: string | null;
}

const stub = ['id', 'type', 'status', 'owner', 'image_id', 'request_id', 'user_id', 'created_at', 'updated_at'];
const columns = [...stub, 'expires_at'].map((column) => `t.${column}`).join(', ');
const whole = `SELECT ${columns}, i.input, i.result, i.message FROM tasks t LEFT JOIN task_info i ON i.task_id = t.id`;

/** Whose tasks are meant; undefined is everybody's. */
type Owner = string | undefined;

const sortColumns = {
  id: 'id',
  type: 'type',
  status: 'status',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  expiresAt: 'expires_at',
} as const satisfies Record<TaskQuery['sortKey'], string>;

export async function insertTask(tx: Statements, task: Task, now: Date): Promise<void> {
  const time = tx.dialect.time(now);
  const row = {
    id: task.id,
    type: task.type,
    status: task.status,
    owner: task.owner,
    image_id: task.imageId,
    request_id: task.requestId,
    user_id: task.userId,
    created_at: time,
    updated_at: time,
    deleted: 0,
  };
  await insert(tx, 'tasks', [row]);
  await insert(tx, 'task_info', [{ task_id: task.id, input: JSON.stringify(task.input), result: null, message: '' }]);
}

/** A task that nobody has begun. */
export function newTask(caller: Caller, task: Pick<Task, 'id' | 'type' | 'imageId'>, input: JsonObject): Task {
  return {
    ...task,
    status: 'pending',
    // Glance: the column takes no null; a caller without a project has no tasks of a project.
    owner: caller.projectId ?? '',
    input,
    result: null,
    message: '',
    requestId: caller.requestId,
    userId: caller.userId,
    createdAt: '',
    updatedAt: '',
    expiresAt: null,
  };
}

/** The task; `NotFound` if there is none, or it is somebody else's. */
export async function findTask(from: Source, id: string, owner?: Owner): Promise<Task> {
  const mine = owner === undefined ? '' : ' AND t.owner = ?';
  const values = owner === undefined ? [id] : [id, owner];
  const [row] = await from.rows<TaskRecord>(`${whole} WHERE t.id = ? AND t.deleted = 0${mine}`, values);
  if (!row) throw new ServiceError('NotFound', `There is no task ${id}.`);
  return toTask(row);
}

/** Newest first. */
export async function tasksOfImage(from: Source, imageId: string, owner: Owner): Promise<Task[]> {
  const mine = owner === undefined ? '' : ' AND t.owner = ?';
  const sql = `${whole} WHERE t.image_id = ? AND t.deleted = 0${mine} ORDER BY t.created_at DESC, t.id DESC LIMIT 1000`;
  const rows = await from.rows<TaskRecord>(sql, owner === undefined ? [imageId] : [imageId, owner]);
  return rows.map(toTask);
}

/** One page, without input, result and message. A marker that is no task is `Invalid`. */
export async function listTasks(from: Source, query: TaskQuery, owner: Owner): Promise<Task[]> {
  const conditions: string[] = ['t.deleted = 0'];
  const values: SqlValue[] = [];
  const equal = { owner, status: query.status, type: query.type };
  for (const [column, value] of Object.entries(equal)) {
    if (value === undefined) continue;
    conditions.push(`t.${column} = ?`);
    values.push(value);
  }
  const sort = `COALESCE(t.${sortColumns[query.sortKey]}, '')`;
  const keys = [sort, 't.created_at', 't.id'];
  if (query.marker !== undefined) {
    conditions.push(`(${keys.join(', ')}) ${query.direction === 'asc' ? '>' : '<'} (?, ?, ?)`);
    values.push(...(await marker(from, keys, query.marker)));
  }
  const order = keys.map((key) => `${key} ${query.direction}`).join(', ');
  const sql = `SELECT ${columns} FROM tasks t WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`;
  return (await from.rows<TaskRecord>(sql, [...values, query.limit])).map(toTask);
}

async function marker(from: Source, keys: readonly string[], id: string): Promise<SqlValue[]> {
  const names = keys.map((key, index) => `${key} AS k${index}`).join(', ');
  const [row] = await from.rows<Record<string, SqlValue>>(`SELECT ${names} FROM tasks t WHERE t.id = ?`, [id]);
  if (!row) throw new ServiceError('Invalid', `The marker "${id}" is not the id of a task.`);
  return keys.map((_, index) => row[`k${index}`]!);
}

/** Sets what is given. */
export async function changeTask(
  tx: Statements,
  id: string,
  change: { status?: TaskStatus; result?: JsonObject; message?: string; expiresAt?: Date },
  now: Date,
): Promise<void> {
  const { status, result, message, expiresAt } = change;
  const task: Record<string, SqlValue> = { updated_at: tx.dialect.time(now) };
  if (status !== undefined) task['status'] = status;
  if (expiresAt !== undefined) task['expires_at'] = tx.dialect.time(expiresAt);
  await set(tx, 'tasks', 'id', id, task);
  const info: Record<string, SqlValue> = {};
  if (result !== undefined) info['result'] = JSON.stringify(result);
  if (message !== undefined) info['message'] = message;
  await set(tx, 'task_info', 'task_id', id, info);
}

async function set(
  tx: Statements,
  table: string,
  key: string,
  id: string,
  to: Readonly<Record<string, SqlValue>>,
): Promise<void> {
  const names = Object.keys(to);
  if (names.length === 0) return;
  const sql = `UPDATE ${table} SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE ${key} = ?`;
  await tx.run(sql, [...Object.values(to), id]);
}

/** Glance: tasks that are over are kept for a while, and those of a project go when it is dealt with its tasks. */
export async function buryExpiredTasks(tx: Statements, owner: string, now: Date): Promise<void> {
  const time = tx.dialect.time(now);
  const sql = 'UPDATE tasks SET deleted = 1, deleted_at = ? WHERE owner = ? AND deleted + 0 = 0 AND expires_at < ?';
  await tx.run(sql, [time, owner, time]);
}

function toTask(row: TaskRecord): Task {
  const json = (text: string | null | undefined): JsonObject | null =>
    typeof text === 'string' ? (JSON.parse(text) as JsonObject | null) : null;
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    owner: row.owner,
    input: json(row.input),
    result: json(row.result),
    message: row.message ?? '',
    imageId: row.image_id,
    requestId: row.request_id,
    userId: row.user_id,
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at ?? row.created_at),
    expiresAt: row.expires_at === null ? null : wireTime(row.expires_at),
  };
}

import type { Task } from '@glance/domain';

type ShownTask = Readonly<Record<string, unknown>>;

/** Glance: among the tasks of an image, times are those of Python, and there are no links. */
export function imageTaskView(task: Task): ShownTask {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    owner: task.owner,
    expires_at: pythonTime(task.expiresAt),
    created_at: pythonTime(task.createdAt),
    updated_at: pythonTime(task.updatedAt),
    deleted_at: null,
    deleted: false,
    image_id: task.imageId,
    request_id: task.requestId,
    user_id: task.userId,
    input: task.input,
    result: task.result,
    message: task.message,
  };
}

const pythonTime = (time: string | null): string | null => time?.replace('Z', '.000000') ?? null;

/** A task in a list: without what was asked for and what came of it. */
export function taskStubView(task: Task): ShownTask {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    owner: task.owner,
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    self: `/v2/tasks/${task.id}`,
    schema: '/v2/schemas/task',
    ...(task.expiresAt !== null && { expires_at: task.expiresAt }),
  };
}

/** All that is known of a task. */
export function taskView(task: Task): ShownTask {
  return {
    ...taskStubView(task),
    input: task.input,
    result: task.result,
    message: task.message,
    ...(task.imageId !== null && { image_id: task.imageId }),
    ...(task.requestId !== null && { request_id: task.requestId }),
    ...(task.userId !== null && { user_id: task.userId }),
  };
}

import { cacheOperations } from './cache-operations.js';
import { imageOperations } from './image-operations.js';
import { metadefOperations } from './metadef-operations.js';
import { jsonOf, type Operation, paging } from './operation.js';

const service: readonly Operation[] = [
  { route: 'GET /', tag: 'service', summary: 'The versions of the API.', answers: { 300: 'Versions' } },
  { route: 'GET /versions', tag: 'service', summary: 'The versions of the API.', answers: { 200: 'Versions' } },
  { route: 'GET /healthcheck', tag: 'service', summary: 'Whether to send requests here.', answers: { 200: 'text' } },
  { route: 'HEAD /healthcheck', tag: 'service', summary: 'Whether to send requests here.', answers: { 204: null } },
  { route: 'POST /healthcheck', tag: 'service', summary: 'Whether to send requests here.', answers: { 200: 'text' } },
  { route: 'GET /v2/openapi.json', tag: 'service', summary: 'This description.', answers: { 200: 'AnyObject' } },
  { route: 'GET /v2/schemas/{name}', tag: 'schemas', summary: 'A JSON schema.', answers: { 200: 'Schema' } },
  {
    route: 'GET /v2/schemas/metadefs/{name}',
    tag: 'schemas',
    summary: 'A JSON schema of metadata definitions.',
    answers: { 200: 'Schema' },
  },
  { route: 'GET /v2/info/import', tag: 'info', summary: 'How images can be imported.', answers: { 200: 'ImportInfo' } },
  { route: 'GET /v2/info/stores', tag: 'info', summary: 'Where data can be kept.', answers: { 200: 'Stores' } },
  {
    route: 'GET /v2/info/stores/detail',
    tag: 'info',
    summary: 'What the stores are made of, for administrators and services.',
    answers: { 200: 'StoreDetails' },
  },
  { route: 'GET /v2/info/usage', tag: 'info', summary: 'What the project uses, and may.', answers: { 200: 'Usage' } },
];

const tasks: readonly Operation[] = [
  {
    route: 'POST /v2/tasks',
    tag: 'tasks',
    summary: 'Imports an image, as an administrator.',
    body: jsonOf('NewTask'),
    answers: { 201: 'Task' },
  },
  {
    route: 'GET /v2/tasks',
    tag: 'tasks',
    summary: 'Tasks, newest first.',
    query: { ...paging, type: 'Only import.', status: 'pending, processing, success or failure.' },
    answers: { 200: 'Tasks' },
  },
  { route: 'GET /v2/tasks/{id}', tag: 'tasks', summary: 'A task.', answers: { 200: 'Task' } },
  { route: 'DELETE /v2/tasks/{id}', tag: 'tasks', summary: 'Cancels a task.', answers: { 204: null } },
];

/** All that the API does. A route that is not here fails a test. */
export const operations: readonly Operation[] = [
  ...service,
  ...imageOperations,
  ...tasks,
  ...cacheOperations,
  ...metadefOperations,
];

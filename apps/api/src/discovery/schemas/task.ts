import { type JsonSchema, uuidPattern } from './json-schema.js';

/** The schema of a piece of work that the service does by itself. */
export const taskSchema: JsonSchema = {
  name: 'task',
  properties: {
    id: { type: 'string', pattern: uuidPattern, description: 'Names the task.' },
    type: {
      type: 'string',
      enum: ['import', 'api_image_import', 'location_import'],
      description: 'What kind of work it is.',
    },
    status: {
      type: 'string',
      enum: ['pending', 'processing', 'success', 'failure'],
      description: 'How far the work has come.',
    },
    input: { type: ['null', 'object'], description: 'What the work was asked to do.' },
    result: { type: ['null', 'object'], description: 'What came of the work.' },
    owner: { type: 'string', description: 'The project that the work is done for.' },
    message: { type: 'string', description: 'How the work goes, for people.' },
    image_id: { type: 'string', description: 'The image that the work is about.' },
    request_id: { type: 'string', description: 'The request that asked for the work.' },
    user_id: { type: 'string', description: 'The user who asked for the work.' },
    expires_at: { type: ['null', 'string'], description: 'When the record of the work may go.' },
    created_at: { type: 'string', description: 'When the work was asked for.' },
    updated_at: { type: 'string', description: 'When the record last changed.' },
    self: { type: 'string', readOnly: true },
    schema: { type: 'string', readOnly: true },
  },
};

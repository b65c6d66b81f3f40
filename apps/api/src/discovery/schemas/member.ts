import { memberStatuses } from '@glance/domain';
import type { JsonSchema } from './json-schema.js';

/** The schema of a project that an image is shared with. */
export const memberSchema: JsonSchema = {
  name: 'member',
  properties: {
    member_id: { type: 'string', description: 'The project that the image is shared with.' },
    image_id: { type: 'string', description: 'The image that is shared.' },
    status: { type: 'string', enum: memberStatuses, description: 'What the project thinks of it.' },
    created_at: { type: 'string', description: 'When the sharing began.' },
    updated_at: { type: 'string', description: 'When the sharing last changed.' },
    schema: { type: 'string', readOnly: true },
  },
};

import type { DefaultRule } from './policy.js';

const admin = 'rule:context_is_admin';
const own = 'project_id:%(project_id)s';
const ownerMember = `${admin} or (role:member and ${own})`;
const ownerReader = `${admin} or (role:reader and ${own})`;
const seen = `${own} or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s`;
const definitionReader = `${admin} or (role:reader and (${own} or 'public':%(visibility)s))`;
const definitionAdmin = 'rule:metadef_admin';
const anybody = 'rule:default';

function rule(name: string, check: string, description: string, legacy: string | null = anybody): DefaultRule {
  return legacy === null ? { name, check, description } : { name, check, description, legacy };
}

const definitionReads = [
  'get_metadef_namespace',
  'get_metadef_object',
  'get_metadef_objects',
  'get_metadef_property',
  'get_metadef_properties',
  'get_metadef_tag',
  'get_metadef_tags',
  'get_metadef_resource_type',
  'list_metadef_resource_types',
];

const definitionWrites = [
  'add_metadef_namespace',
  'modify_metadef_namespace',
  'delete_metadef_namespace',
  'add_metadef_object',
  'modify_metadef_object',
  'delete_metadef_object',
  'add_metadef_property',
  'modify_metadef_property',
  'remove_metadef_property',
  'add_metadef_tag',
  'add_metadef_tags',
  'modify_metadef_tag',
  'delete_metadef_tag',
  'delete_metadef_tags',
  'add_metadef_resource_type_association',
  'remove_metadef_resource_type_association',
];

/**
 * Glance's rules as of its 2026.2 documentation: the personas reader, member and admin of a project, and services.
 * `legacy` is what a rule said before them.
 */
export const glanceRules: readonly DefaultRule[] = [
  rule('default', '', 'Stands in for a rule that does not exist.', null),
  rule('context_is_admin', 'role:admin', 'Who is an administrator, of all projects.', null),
  rule('service_api', 'role:service or role:admin', 'Who acts as one of the cloud’s services.', null),

  rule('add_image', `${admin} or (role:member and ${own} and project_id:%(owner)s)`, 'Register an image.'),
  rule('get_image', `${admin} or (role:reader and (${seen}))`, 'Show an image.'),
  rule('get_images', ownerReader, 'List images.'),
  rule('modify_image', ownerMember, 'Change an image, its tags and its staged data.'),
  rule('delete_image', ownerMember, 'Delete an image.'),
  rule('upload_image', ownerMember, 'Upload the data of an image.'),
  rule('download_image', `${admin} or (role:member and (${seen}))`, 'Download the data of an image.'),
  rule('download_from_store', `${admin} or (role:member and (${seen}))`, 'Choose the store to download from.'),
  rule('publicize_image', admin, 'Make an image public.', 'role:admin'),
  rule('communitize_image', ownerMember, 'Make an image visible to everybody who knows its id.'),
  rule('deactivate', ownerMember, 'Keep everybody but administrators from downloading an image.'),
  rule('reactivate', ownerMember, 'Allow downloads again.'),
  rule('copy_image', admin, 'Copy an image to other stores.', 'role:admin'),

  rule('get_image_location', ownerReader, 'See where the data of an image lies.'),
  rule('set_image_location', ownerMember, 'Set where the data of an image lies.'),
  rule('delete_image_location', admin, 'Remove one of the places where the data of an image lies.'),
  rule(
    'add_image_location',
    `rule:service_api or (role:member and ${own} and project_id:%(owner)s)`,
    'Register data that is in a store already.',
    null,
  ),
  rule('fetch_image_location', 'rule:service_api', 'See the locations of an image, as a service.', null),

  rule('add_member', ownerMember, 'Share an image with a project.'),
  rule('delete_member', ownerMember, 'Stop sharing an image with a project.'),
  rule(
    'get_member',
    `${admin} or (role:reader and (${own} or project_id:%(member_id)s))`,
    'Show a member of an image.',
  ),
  rule(
    'get_members',
    `${admin} or (role:reader and (${own} or project_id:%(member_id)s))`,
    'List the members of an image.',
  ),
  rule('modify_member', `${admin} or (role:member and project_id:%(member_id)s)`, 'Accept or reject a shared image.'),

  rule('tasks_api_access', admin, 'Use the tasks API.', 'role:admin'),
  rule('get_task', anybody, 'Show a task.', null),
  rule('get_tasks', anybody, 'List tasks.', null),
  rule('add_task', anybody, 'Create a task.', null),
  rule('modify_task', anybody, 'Change a task.', null),

  rule('manage_image_cache', admin, 'Use the older cache API.', 'role:admin'),
  rule('cache_image', admin, 'Queue an image for the cache.', null),
  rule('cache_list', admin, 'List what is cached.', null),
  rule('cache_delete', admin, 'Remove images from the cache.', null),
  rule('cache_clean', admin, 'Remove broken entries from the cache.', null),
  rule('cache_prune', admin, 'Shrink the cache to its size.', null),
  rule('list_cached_nodes', admin, 'List the nodes that have an image cached.', null),
  rule('stores_info_detail', `${admin} or rule:service_api`, 'See the properties of stores.', null),

  rule('metadef_default', '', 'Stands in for metadata definition rules.', null),
  rule('metadef_admin', 'role:admin', 'Who edits metadata definitions.', null),
  rule('get_metadef_namespaces', ownerReader, 'List namespaces of metadata definitions.', 'rule:metadef_default'),
  ...definitionReads.map((name) => rule(name, definitionReader, 'Read metadata definitions.', 'rule:metadef_default')),
  ...definitionWrites.map((name) => rule(name, definitionAdmin, 'Change metadata definitions.', null)),
];

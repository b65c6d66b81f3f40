import { type CacheRule, type Caller, type Image, ServiceError } from '@glance/domain';
import { type Credentials, type Explanation, glanceRules, Policy, type Target } from '@glance/policy';
import { PropertyProtection } from './property-protection.js';
import { nobodysProject } from './target.js';

/** The rules that the registry asks. */
export type Rule =
  | CacheRule
  | 'add_image'
  | 'get_image'
  | 'get_images'
  | 'modify_image'
  | 'delete_image'
  | 'upload_image'
  | 'download_image'
  | 'download_from_store'
  | 'stores_info_detail'
  | 'publicize_image'
  | 'communitize_image'
  | 'deactivate'
  | 'reactivate'
  | 'add_member'
  | 'delete_member'
  | 'get_member'
  | 'get_members'
  | 'modify_member'
  | 'copy_image'
  | 'get_image_location'
  | 'set_image_location'
  | 'delete_image_location'
  | 'add_image_location'
  | 'fetch_image_location'
  | 'tasks_api_access'
  | 'get_task'
  | 'get_tasks'
  | 'add_task'
  | 'modify_task';

/** All that who is not logged in may ever do, if the rules allow it to a reader. */
const anonymousRules: ReadonlySet<string> = new Set<Rule>(['get_image', 'get_images', 'download_image']);

/** Where the rules in force come from; asked for every request. */
export interface PolicySource {
  readonly current: Policy;
}

/** Says what callers may do. */
export class Authorization {
  constructor(
    readonly policies: PolicySource = { current: new Policy(glanceRules) },
    readonly enforceScope = true,
    readonly properties = PropertyProtection.none,
  ) {}

  /** The image as the caller sees it: without properties that he may not read. */
  shown(rights: Rights, image: Image): Promise<Image> {
    // Glance: where the data of a deactivated image lies is for administrators.
    const hidden = image.status === 'deactivated' && !rights.isAdmin;
    return this.properties.readable(rights, hidden ? { ...image, locations: [] } : image);
  }

  /** The rights of a caller, by the rules of this moment. `Forbidden` for tokens that are not for a project. */
  async of(caller: Caller): Promise<Rights> {
    if (this.enforceScope && (caller.systemScope || caller.domainScope)) {
      throw new ServiceError('Forbidden', 'Images belong to projects: use a token for a project, not for more.');
    }
    const policy = this.policies.current;
    const credentials = credentialsOf(caller);
    const isAdmin = !caller.anonymous && (await policy.allows('context_is_admin', credentials, credentials));
    return new Rights(policy, caller, { ...credentials, is_admin: isAdmin }, isAdmin);
  }
}

/** What one caller may do, for one request. */
export class Rights {
  constructor(
    readonly policy: Policy,
    readonly caller: Caller,
    readonly credentials: Credentials,
    /** Sees the images of all projects. */
    readonly isAdmin: boolean,
  ) {}

  /** Whether the rule lets the caller act upon the target; a promise only where a rule asks a server. */
  allows(rule: Rule | (string & {}), target: Target): boolean | Promise<boolean> {
    if (this.caller.anonymous && !anonymousRules.has(rule)) return false;
    return this.policy.allows(rule, target, this.credentials);
  }

  /** Whether the rule allows it, and why. */
  async explain(rule: string, target: Target): Promise<Explanation> {
    const explanation = await this.policy.explain(rule, target, this.credentials);
    const barred = this.caller.anonymous && !anonymousRules.has(rule);
    return barred ? { ...explanation, allowed: false, because: ['nobody is logged in'] } : explanation;
  }

  /** Fails with `Forbidden` unless the rule lets the caller act upon the target. */
  async require(rule: Rule, target: Target): Promise<void> {
    if (!(await this.allows(rule, target))) {
      throw new ServiceError('Forbidden', `The policy rule "${rule}" does not allow you to do this.`);
    }
  }
}

/** The caller as policy rules see it. */
function credentialsOf(caller: Caller): Credentials {
  const project = caller.projectId ?? nobodysProject;
  return {
    user_id: caller.userId,
    user: caller.userId,
    project_id: project,
    project,
    tenant: project,
    // Who is not logged in only looks.
    roles: caller.anonymous ? ['reader'] : caller.roles,
    service_roles: caller.serviceRoles,
    system_scope: caller.systemScope ? 'all' : null,
    is_admin_project: true,
  };
}

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, ServiceError } from '@glance/domain';
import { glanceRules, Policy, type RemoteCheck } from '@glance/policy';
import type { AuthorizationSettings } from './authorization-options.js';
import { type PolicyRules, readPolicyFile } from './read-policy-file.js';

/** Milliseconds between two looks at the files. */
const interval = 1000;

type Settings = Pick<AuthorizationSettings, 'policyFile' | 'policyDirs' | 'policyDefaultRule' | 'enforceNewDefaults'>;

/**
 * Glance's rules with those of policy files over them, as the files are now. Files that cannot be read fail with
 * `Invalid` at first, and later leave the rules as they were.
 */
export class PolicyFiles {
  #policy: Policy;
  #stamp: string;
  #nextLook: number;

  constructor(
    readonly settings: Settings,
    readonly remote: RemoteCheck,
    readonly logger: Logger,
    /** Milliseconds from any time on. */
    readonly clock: () => number = () => performance.now(),
  ) {
    const files = this.#files();
    this.#stamp = stampOf(files);
    this.#policy = this.#read(files);
    this.#nextLook = clock() + interval;
    this.#report();
  }

  get current(): Policy {
    if (this.clock() >= this.#nextLook) this.#look();
    return this.#policy;
  }

  #look(): void {
    this.#nextLook = this.clock() + interval;
    try {
      const files = this.#files();
      const stamp = stampOf(files);
      if (stamp === this.#stamp) return;
      // Whatever comes of it: a broken file is complained of once.
      this.#stamp = stamp;
      this.#policy = this.#read(files);
      this.logger.info('The policy files have changed and were read again.');
      this.#report();
    } catch (error) {
      this.logger.error('The policy files cannot be read; the rules that were read before stay in force.', { error });
    }
  }

  #files(): string[] {
    const { policyFile, policyDirs } = this.settings;
    const more = policyDirs.flatMap((directory) => namesIn(directory).map((name) => join(directory, name)));
    return [policyFile, ...more].filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  }

  #read(files: readonly string[]): Policy {
    const rules: PolicyRules[] = files.map((path) => {
      try {
        return readPolicyFile(path);
      } catch (error) {
        throw new ServiceError('Invalid', `The policy file ${path} cannot be read: ${(error as Error).message}`);
      }
    });
    const { enforceNewDefaults: newDefaults, policyDefaultRule: fallback } = this.settings;
    // Without a prototype, so that no name of a rule means anything else.
    const overrides = Object.assign(Object.create(null) as PolicyRules, ...rules) as PolicyRules;
    return new Policy(glanceRules, { overrides, newDefaults, fallback, remote: this.remote });
  }

  #report(): void {
    for (const problem of this.#policy.problems) this.logger.error(problem);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Differs when any of the files does. */
function stampOf(files: readonly string[]): string {
  return files
    .map((path) => {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found ? `${path} ${found.ino} ${found.size} ${found.mtimeNs}` : path;
    })
    .join('\n');
}

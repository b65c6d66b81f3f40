export { type Check, type Credentials, describeCheck, type RemoteCheck, type Target } from './check.js';
export { evaluate, type Scope } from './evaluate.js';
export { glanceRules } from './glance-rules.js';
export { parseCheck, RuleSyntaxError } from './parse-check.js';
export { type DefaultRule, type Explanation, Policy, type PolicyOptions } from './policy.js';

import { readFileSync } from 'node:fs';
import { isScalar, parseDocument, visit } from 'yaml';

/** Rules by their names. */
export type PolicyRules = Readonly<Record<string, unknown>>;

/** The rules of a policy file, YAML or JSON. Fails with a message that says what is wrong with it. */
export function readPolicyFile(path: string): PolicyRules {
  const document = parseDocument(readFileSync(path, 'utf8'), { uniqueKeys: false, logLevel: 'error' });
  const [error] = document.errors;
  if (error) throw new Error(error.message.split(/:?\n/)[0]);
  // An unquoted ! is an empty text with a tag to YAML, and an empty rule allows everybody; it is meant to refuse.
  visit(document, {
    Scalar(_, node) {
      if (node.tag === '!' && node.value === '') node.value = '!';
    },
  });
  const rules: unknown = document.toJS();
  if (rules === null || rules === undefined) return {};
  if (typeof rules !== 'object' || Array.isArray(rules) || isScalar(document.contents)) {
    throw new Error('A policy file holds lines of the form "rule": "check".');
  }
  return rules as PolicyRules;
}

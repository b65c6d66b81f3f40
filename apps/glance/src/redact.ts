const hidden = '***';

/** What looks like a secret, with what stands before it. */
const patterns: readonly RegExp[] = [
  // user:password@ of a URL, also of the second host of a transport_url.
  /((?:\/\/|,)[^\s/@:,]{0,128}:)[^\s/@]{1,256}(?=@)/g,
  /(\bx-(?:auth|subject|service|storage)-token\b['"]?\s*[:=]\s*['"]?)[^\s'",]+/gi,
  /(\bauthorization\b['"]?\s*[:=]\s*['"]?)(?:(?:basic|bearer)\s+)?[^\s'",]+/gi,
  /([?&](?:x-amz-(?:signature|security-token|credential)|signature|awsaccesskeyid|temp_url_sig|sig|token|password)=)[^&\s'"]+/gi,
  /(["']?\b(?:password|passwd|admin_?pass|secret|secret_?key|access_?key|auth_?token|trust_id)\b["']?\s*[:=]\s*["']?)[^\s'",}&]+/gi,
  // Fernet tokens of Keystone, wherever they are.
  /(\bgAAAA)[\w-]{40,}={0,2}/g,
];

/** Short ones would be found in ordinary words. */
const shortest = 6;

/** Hides what looks like a secret, and `secrets`, which are known to be. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  // Of URLs, what looks like one is their password.
  const whole = secrets.filter((secret) => secret.length >= shortest && !secret.includes('://'));
  return (text) => {
    let safe = text;
    for (const secret of whole) safe = safe.replaceAll(secret, hidden);
    return patterns.reduce((line, pattern) => line.replace(pattern, `$1${hidden}`), safe);
  };
}

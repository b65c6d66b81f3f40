import type { Declaration } from './declaration.js';
import { grouped } from './grouped.js';
import type { Option } from './option.js';
import { wrap } from './wrap.js';

/** A commented configuration file that shows every option and its default, in the style of oslo.config's generator. */
export function sampleFile(declarations: readonly Declaration[]): string {
  const groups = [...grouped(declarations)].map(([group, options]) => {
    const entries = [...options].map(([name, option]) => sampleEntry(group, name, option));
    return `[${group}]\n\n${entries.join('\n\n')}\n`;
  });
  return groups.join('\n\n');
}

function sampleEntry(group: string, name: string, option: Option): string {
  const { settings, type, min, max, choices, defaultTexts } = option;
  const comments = [
    ...wrap(`${settings.help} (${type})`, 78),
    ...(min === undefined ? [] : [`Minimum value: ${min}`]),
    ...(max === undefined ? [] : [`Maximum value: ${max}`]),
    ...(choices ? wrap(`Possible values: ${choices.join(', ')}`, 78) : []),
    ...(settings.ours ? ['Not an option of Glance.'] : []),
    ...(settings.deprecated === undefined ? [] : wrap(`Deprecated ${settings.deprecated}`, 78)),
    ...(settings.aliases ?? []).map((alias) => {
      const dot = alias.lastIndexOf('.');
      return `Deprecated group/name - [${dot < 0 ? group : alias.slice(0, dot)}]/${alias.slice(dot + 1)}`;
    }),
  ];
  const nothing = option.default === undefined ? '<None>' : '';
  const assignments = (defaultTexts.length === 0 ? [nothing] : defaultTexts).map((value) =>
    `#${name} = ${value}`.trimEnd(),
  );
  return [...comments.map((line) => `# ${line}`.trimEnd()), ...assignments].join('\n');
}

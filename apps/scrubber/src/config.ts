import { declare, flag, integer, text } from '@glance/config';

export const scrubberOptions = declare('DEFAULT', {
  wakeup_time: integer({ default: 300, min: 0, help: 'Seconds between two runs of a scrubber that runs as a daemon.' }),
  scrub_pool_size: integer({ default: 1, min: 1, help: 'How many images are erased at the same time.' }),
  recovery_interval: integer({
    default: 15,
    min: 1,
    ours: true,
    help:
      'Seconds between two looks for uploads and deletions whose process died. Every api process does this, ' +
      'whether or not a scrubber runs.',
  }),
});

/** How the scrubber runs as a program of its own. */
export const daemonOptions = declare('DEFAULT', {
  daemon: flag({
    default: false,
    short: 'D',
    help: 'Keep running and wake up every wakeup_time seconds; otherwise run once.',
  }),
  restore: text({
    cli: true,
    help:
      'Id of a deleted image that is to be brought back, with its data, properties, tags and members; then nothing else ' +
      'is done. Possible until the scrubber has begun to erase it.',
  }),
});

/** What becomes of data that no row refers to. */
export const orphanOptions = declare('DEFAULT', {
  scrub_orphans: flag({
    default: false,
    ours: true,
    help:
      'Let every run of glance-scrubber also remove what stores have and no image refers to. Without it only `apply` does. ' +
      'Never where two services share a store.',
  }),
  scrub_grace_time: integer({
    default: 86_400,
    min: 1,
    ours: true,
    help:
      'Seconds in which something must not have changed before it counts as left: objects and staged files without a row, ' +
      'images that nobody works on. Longer than any upload or import takes.',
  }),
});

/** Of `glance-scrubber plan`. */
export const planOptions = declare('DEFAULT', {
  json: flag({ default: false, cli: true, ours: true, help: 'Print lines of JSON, as `apply` reads them.' }),
});

/** Of `glance-scrubber apply`. */
export const applyOptions = declare('DEFAULT', {
  plan: text({ cli: true, ours: true, help: 'The file with the plan, as `plan --json` prints it.' }),
  max_items: integer({ min: 1, cli: true, ours: true, help: 'Stop after so many items.' }),
  max_bytes: integer({ min: 1, cli: true, ours: true, help: 'Stop before more bytes than these are erased.' }),
  max_seconds: integer({ min: 1, cli: true, ours: true, help: 'Begin no item after so many seconds.' }),
});

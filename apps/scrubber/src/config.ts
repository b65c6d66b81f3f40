import { declare, flag, integer, text, type ValuesOf } from '@glance/config';

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

export type ScrubberSettings = ValuesOf<typeof scrubberOptions>;

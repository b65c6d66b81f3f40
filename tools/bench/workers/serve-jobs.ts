/** The other side of `Worker`: answers each job of the parent with what `work` makes of it. Ends with the parent. */
export function serveJobs(work: (job: never) => Promise<unknown>): void {
  process.on('message', (job) => {
    work(job as never).then(
      (result) => process.send!({ result }),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  // A terminal's Ctrl-C reaches every process; the parent ends us when it is done with us.
  process.on('SIGINT', () => undefined);
}

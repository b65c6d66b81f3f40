import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

// What `sysconf(_SC_CLK_TCK)` says on every Linux that Node runs on.
const TICKS_PER_SECOND = 100;

/** CPU time in seconds, user and system, of processes and all their descendants, threads and ended children included. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of tree(pids)) {
    const stat = read(`/proc/${pid}/stat`);
    // The name, in brackets, may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const value of fields.slice(11, 15)) ticks += Number(value);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Lets `peakMemory` forget what was before, where the kernel allows. */
export function resetPeakMemory(pids: readonly number[]): void {
  for (const pid of tree(pids)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // Another user's process: its peak is then the one since it began.
    }
  }
}

/** Bytes: the sum of the highest resident memory of each process. */
export function peakMemory(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of tree(pids)) kibibytes += Number(/VmHWM:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
  return kibibytes * 1024;
}

/** CPU time in seconds that all processes of the machine have used since it started. */
export function machineCpuSeconds(): number {
  const [user, nice, system, , , irq, softirq] = read('/proc/stat').split('\n')[0]!.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
}

function tree(pids: readonly number[]): Set<number> {
  const found = new Set<number>();
  const visit = (pid: number) => {
    if (found.has(pid)) return;
    found.add(pid);
    for (const task of tasks(pid)) {
      for (const child of read(`/proc/${pid}/task/${task}/children`).split(' ')) if (child) visit(Number(child));
    }
  };
  pids.forEach(visit);
  return found;
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

// A thread or process may end between two looks.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import type { Format } from './format.js';
import { gpt } from './formats/gpt.js';
import { iso } from './formats/iso.js';
import { luks } from './formats/luks.js';
import { ploop } from './formats/ploop.js';
import { qcow2 } from './formats/qcow2.js';
import { qed } from './formats/qed.js';
import { vdi } from './formats/vdi.js';
import { vhd } from './formats/vhd.js';
import { vhdx } from './formats/vhdx.js';
import { vmdk } from './formats/vmdk.js';

/** Every format with a signature. */
export const formats: readonly Format[] = [qcow2, vhd, vhdx, vmdk, vdi, qed, iso, gpt, luks, ploop];

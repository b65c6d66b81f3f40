import type { Formats } from '../images/attributes.js';

export const formats: Formats = { disk: ['raw', 'qcow2', 'iso'], container: ['bare', 'ovf'] };

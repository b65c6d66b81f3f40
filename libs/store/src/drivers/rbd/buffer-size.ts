/** Bytes of a buffer, and of one operation on Ceph: a whole number of them makes an object, or the other way round. */
export const bufferSize = 4 * 1024 * 1024;

/** What keeps data in a store, for operators who ask why it cannot be deleted or takes room after it was. */
export interface Holder {
  /** `snapshot`: one that the service has not made. `client`: has it open for writing. */
  readonly kind: 'clone' | 'snapshot' | 'client';
  /** As the place names it; undefined for clones that the service may not look at. */
  readonly name: string | undefined;
  /** It is deleted itself, but not gone. */
  readonly trash?: boolean;
}

/** Data under one id. */
export interface Held {
  /** As the place names it. */
  readonly name: string;
  /** It was deleted, and is kept for its holders. */
  readonly trash: boolean;
  readonly holders: readonly Holder[];
  /** Tells whoever may do everything who the holders are. */
  readonly command: string;
}

import {
  type Caller,
  type Image,
  type Member,
  type Members,
  type MemberStatus,
  memberStatuses,
  ServiceError,
} from '@glance/domain';
import { Authorization, type Rights, type Rule } from './authorization/authorization.js';
import { imageTarget, seenTarget } from './authorization/target.js';
import type { RegistrySettings } from './config.js';
import type { Database } from './database/database.js';
import type { Statements } from './database/session.js';
import { wireTime } from './database/dialect.js';
import { findLocked, findVisible, type Source } from './images/find-image.js';
import { checkText } from './images/image-rules.js';
import { insert } from './images/image-writes.js';
import { memberEvent } from './notifications/events.js';
import { noOutbox, type Outbox } from './notifications/outbox.js';

interface MemberRecord {
  readonly id: number;
  readonly member: string;
  readonly status: MemberStatus;
  readonly created_at: string;
  readonly updated_at: string | null;
}

const unknown = (imageId: string, memberId: string): ServiceError =>
  new ServiceError('NotFound', `The image ${imageId} has no member "${memberId}".`);

/** The contract `Members`. Glance: changes of members do not count as changes of the image. */
export class MembersInDatabase implements Members {
  constructor(
    readonly database: Database,
    readonly settings: Pick<RegistrySettings, 'imageMemberQuota'>,
    readonly clock: () => number = Date.now,
    readonly outbox: Outbox = noOutbox,
    readonly authorization = new Authorization(),
  ) {}

  create(caller: Caller, imageId: string, memberId: string): Promise<Member> {
    return this.#change(caller, imageId, async (tx, image, rights) => {
      await rights.require('add_member', seenTarget(caller, image));
      if (memberId === '') throw new ServiceError('Invalid', 'The member must be the id of a project, not empty.');
      checkText('The member', memberId, 255);
      const members = await list(tx, imageId);
      if (members.some(({ member }) => member === memberId)) {
        throw new ServiceError('Conflict', `The image ${imageId} is shared with "${memberId}" already.`);
      }
      const { imageMemberQuota: quota } = this.settings;
      if (quota >= 0 && members.length + 1 > quota) {
        throw new ServiceError('LimitExceeded', `An image may have ${quota} members, not ${members.length + 1}.`);
      }
      await this.#add(tx, imageId, memberId);
      const member = await this.#find(tx, imageId, memberId);
      await this.outbox.add(tx, this.outbox.contextOf(caller), memberEvent('create', member));
      return member;
    });
  }

  async list(caller: Caller, imageId: string): Promise<readonly Member[]> {
    const rights = await this.authorization.of(caller);
    const image = await findVisible(this.database, rights, imageId);
    if (image.visibility !== 'shared') throw notShared(image);
    await rights.require('get_members', seenTarget(caller, image));
    const members: Member[] = [];
    for (const row of await list(this.database, imageId)) {
      if (await sees(rights, image, row.member)) members.push(toMember(imageId, row));
    }
    return members;
  }

  async show(caller: Caller, imageId: string, memberId: string): Promise<Member> {
    const rights = await this.authorization.of(caller);
    const image = await findVisible(this.database, rights, imageId);
    // Glance: asking for one member never tells that the image is not shared.
    if (image.visibility !== 'shared' || !(await sees(rights, image, memberId))) throw unknown(imageId, memberId);
    return this.#find(this.database, imageId, memberId);
  }

  update(caller: Caller, imageId: string, memberId: string, status: MemberStatus): Promise<Member> {
    return this.#changeOne('modify_member', caller, imageId, memberId, async (tx, { id }, time) => {
      if (!memberStatuses.includes(status)) {
        throw new ServiceError('Invalid', `The status of a member must be one of ${memberStatuses.join(', ')}.`);
      }
      await tx.run('UPDATE image_members SET status = ?, updated_at = ? WHERE id = ?', [status, time, id]);
      const member = await this.#find(tx, imageId, memberId);
      await this.outbox.add(tx, this.outbox.contextOf(caller), memberEvent('update', member));
      return member;
    });
  }

  async remove(caller: Caller, imageId: string, memberId: string): Promise<void> {
    await this.#changeOne('delete_member', caller, imageId, memberId, async (tx, row, time) => {
      const sql = 'UPDATE image_members SET deleted = 1, deleted_at = ?, updated_at = ? WHERE id = ?';
      await tx.run(sql, [time, time, row.id]);
      const member = toMember(imageId, row);
      await this.outbox.add(tx, this.outbox.contextOf(caller), memberEvent('delete', member, wireTime(time)));
    });
  }

  async #change<T>(
    caller: Caller,
    imageId: string,
    work: (tx: Statements, image: Image, rights: Rights) => Promise<T>,
  ): Promise<T> {
    const rights = await this.authorization.of(caller);
    return this.database.transaction(async (tx) => {
      const image = await findLocked(tx, rights, imageId);
      if (image.visibility !== 'shared') throw notShared(image);
      return work(tx, image, rights);
    });
  }

  #changeOne<T>(
    rule: Rule,
    caller: Caller,
    imageId: string,
    memberId: string,
    work: (tx: Statements, row: MemberRecord, time: string) => Promise<T>,
  ): Promise<T> {
    return this.#change(caller, imageId, async (tx, image, rights) => {
      const row = (await list(tx, imageId)).find(({ member }) => member === memberId);
      if (!row || !(await sees(rights, image, memberId))) throw unknown(imageId, memberId);
      await rights.require(rule, imageTarget(image, memberId));
      return work(tx, row, this.#time(tx));
    });
  }

  async #find(from: Source, imageId: string, memberId: string): Promise<Member> {
    const row = (await list(from, imageId)).find(({ member }) => member === memberId);
    if (!row) throw unknown(imageId, memberId);
    return toMember(imageId, row);
  }

  /** Glance: a project that was a member before gets its row back, as if new. */
  async #add(tx: Statements, image_id: string, member: string): Promise<void> {
    const time = this.#time(tx);
    const exact = tx.dialect.exactly('member');
    const find = `SELECT id FROM image_members WHERE image_id = ? AND member = ? AND ${exact} = ? AND deleted = 1 ORDER BY id DESC LIMIT 1`;
    const [buried] = await tx.rows<{ id: number }>(find, [image_id, member, member]);
    if (buried) {
      const revive =
        "UPDATE image_members SET status = 'pending', created_at = ?, updated_at = ?, deleted = 0, deleted_at = NULL WHERE id = ?";
      await tx.run(revive, [time, time, buried.id]);
      return;
    }
    const row = { image_id, member, can_share: 0, status: 'pending', created_at: time, updated_at: time, deleted: 0 };
    await insert(tx, 'image_members', [row]);
  }

  #time(tx: Statements): string {
    return tx.dialect.time(new Date(this.clock()));
  }
}

/** Owner and administrators see all members, a member itself. */
function sees(rights: Rights, image: Image, memberId: string): boolean | Promise<boolean> {
  return rights.allows('get_member', imageTarget(image, memberId));
}

async function list(from: Source, imageId: string): Promise<MemberRecord[]> {
  const sql =
    'SELECT id, member, status, created_at, updated_at FROM image_members WHERE image_id = ? AND deleted + 0 = 0 ORDER BY id';
  return from.rows<MemberRecord>(sql, [imageId]);
}

function toMember(imageId: string, row: MemberRecord): Member {
  return {
    imageId,
    memberId: row.member,
    status: row.status,
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at ?? row.created_at),
  };
}

function notShared({ id, visibility }: Image): ServiceError {
  return new ServiceError('Forbidden', `Only shared images have members; the image ${id} is ${visibility}.`);
}

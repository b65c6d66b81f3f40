import { Column, DefaultNamingStrategy, type ColumnOptions, type NamingStrategyInterface } from 'typeorm';

/** Property `osHidden` is column `os_hidden`. */
export class SnakeCase extends DefaultNamingStrategy implements NamingStrategyInterface {
  override columnName(propertyName: string, customName: string | undefined): string {
    return customName ?? propertyName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
}

/** VARCHAR(length). */
export const Varchar = (length: number, options: ColumnOptions = {}): PropertyDecorator =>
  Column({ type: 'varchar', length, ...options });
export const Text = (options: ColumnOptions = {}): PropertyDecorator => Column({ type: 'text', ...options });
/** A time, in the form of the dialect. */
export const Time = (options: ColumnOptions = {}): PropertyDecorator => Column({ type: 'datetime', ...options });
export const Flag = (options: ColumnOptions = {}): PropertyDecorator => Column({ type: 'boolean', ...options });

/** What metadef rows have. */
export abstract class Timed {
  @Time() createdAt!: string;
  @Time({ nullable: true }) updatedAt!: string | null;
}

/** Rows that are marked deleted and purged later. */
export abstract class SoftDeleted extends Timed {
  @Time({ nullable: true }) deletedAt!: string | null;
  @Flag() deleted!: number;
}

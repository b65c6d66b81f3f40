import { Injectable } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { Contract } from '@glance/domain';

const contracts = new WeakMap<object, Contract<unknown>>();

/** Marks the provider whose methods answer the calls of `contract`. A class that does not implement it does not compile. */
export function Serves<T extends object>(contract: Contract<T>) {
  return (target: abstract new (...args: never[]) => T): void => {
    Injectable()(target);
    contracts.set(target, contract);
  };
}

export interface Served {
  readonly contract: Contract<unknown>;
  readonly implementation: object;
}

/** The providers of an application that are marked with `Serves`. Throws when two of them serve the same contract. */
export function servedIn(modules: ModulesContainer): readonly Served[] {
  const found = new Map<string, Served>();
  for (const module of modules.values()) {
    for (const { instance } of module.providers.values()) {
      const implementation: unknown = instance;
      if (typeof implementation !== 'object' || implementation === null) continue;
      const contract = contracts.get(implementation.constructor);
      if (!contract) continue;
      const other = found.get(contract.name);
      if (other && other.implementation !== implementation) {
        const names = [other.implementation, implementation].map((each) => each.constructor.name);
        throw new Error(`Only one provider may serve "${contract.name}", not both ${names.join(' and ')}.`);
      }
      found.set(contract.name, { contract, implementation });
    }
  }
  return [...found.values()];
}

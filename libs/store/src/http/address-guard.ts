import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ServiceError } from '@glance/domain';
import { network } from './network.js';

// IANA's registries of special-purpose addresses, and multicast.
const notOfTheInternet4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
];
const notOfTheInternet6 = [
  ...['::/96', '::ffff:0:0:0/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '3fff::/20', '5f00::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

/** Finds all addresses of a host. */
export type Resolve = (host: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const bySystem: Resolve = (host, done) => lookup(host, { all: true }, done);

/** Keeps connections away from networks that are not the Internet. */
export class AddressGuard {
  private readonly denied = new BlockList();
  private readonly allowed: BlockList;

  /** `allowed`: networks that are no matter of concern; the option that they come from is told to whoever is refused. */
  constructor(
    allowed: readonly string[],
    private readonly option: string,
    private readonly resolve: Resolve = bySystem,
  ) {
    this.allowed = blockList(allowed);
    this.denied = blockList([
      ...notOfTheInternet4,
      ...notOfTheInternet6,
      // What gateways turn into an address of version 4.
      ...notOfTheInternet4.flatMap((each) => [nat64(each), sixToFour(each)]),
    ]);
  }

  /** Whether it is worth a try to connect to `host`: a name is judged when its addresses are known. */
  accepts(host: string): boolean {
    const version = isIP(host);
    if (version === 0) return true;
    const family = version === 4 ? 'ipv4' : 'ipv6';
    return this.allowed.check(host, family) || !this.denied.check(host, family);
  }

  /**
   * For `net.connect`, which connects to just the addresses that were judged. One bad address makes a name bad. Not
   * asked for a host that is an address: that is `accepts`'s.
   */
  readonly lookup: LookupFunction = (host, { all = false }, callback) => {
    this.resolve(host, (error, addresses) => {
      const [first] = error ? [] : addresses;
      if (!first) callback(error ?? new Error(`${host} has no address.`), []);
      else if (!addresses.every(({ address }) => this.accepts(address))) callback(this.refusal(host), []);
      else if (all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };

  /** For a host that is not accepted. */
  refusal(host: string): ServiceError {
    return new ServiceError(
      'Forbidden',
      `${host} has an address that is not one of the Internet. An administrator can allow its network with ${this.option}.`,
    );
  }
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const { address, prefix, family } = network(text)!;
    list.addSubnet(address, prefix, family);
  }
  return list;
}

const hex = (address: string): string => {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
};

function nat64(text: string): string {
  const { address, prefix } = network(text)!;
  return `64:ff9b::${hex(address)}/${96 + prefix}`;
}

function sixToFour(text: string): string {
  const { address, prefix } = network(text)!;
  return `2002:${hex(address)}::/${16 + prefix}`;
}

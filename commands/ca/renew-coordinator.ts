import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { AuthorityOverview } from '../../src/client/contract/index.ts';

type Renewed = AuthorityOverview['coordinator'];

export default class RenewCoordinator extends BaseCommand<Renewed> {
  static override description = `give the coordinator a new key and certificate, with the names that stand in coordinator.yaml now
For when hosts: has changed, or the key may have been seen. Devices that are connected stay so, and none needs anything new.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
the coordinator's certificate is 77ab31c09f4e4bd2a1c3d4e5f6071829, signed by issuing-1
names: coordinator.harbour-k3f9x2.flotilla, fleet.example.org, 192.0.2.7`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Renewed> {
    const { flags } = await this.parse(RenewCoordinator);
    return (await openClient(flags)).renewCoordinator();
  }

  protected render({ serial, issuer, names }: Renewed): void {
    this.print(`the coordinator's certificate is ${serial}, signed by ${issuer}\nnames: ${names.join(', ')}`);
  }
}

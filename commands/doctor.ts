import { BaseCommand } from '../src/cli/base-command.ts';
export default class Doctor extends BaseCommand<{ ok: boolean }> {
  static override description = 'check this machine and this fleet';
  protected async execute() {
    return { ok: true };
  }
  protected render() {
    this.print('ok');
  }
}
